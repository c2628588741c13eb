import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import IPVSKit

/// The JSON form of the values: its text, that it is read back, and that errors name their place.
@Suite struct CodableTests {
    private static let web = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)
    private static let service = VirtualService(
        id: web, scheduler: .maglevHashing, flags: [.hashFallback, .init(rawValue: 0x20)],
        persistence: .init(timeoutSeconds: 60, netmask: .prefix(24)), persistenceEngine: "sip")
    private static let destination = Destination("10.0.0.1", port: 8080, weight: 2)
    private static let tunnel = Destination(
        "fd00::1", port: 80, forwarding: .tunnel, upperThreshold: 9, lowerThreshold: 3,
        tunnel: .init(type: .gue, port: 6080, flags: .checksum))
    private static let error: IPVSError = {
        var error = IPVSError(.serviceNotFound, errno: .noSuchProcess, operation: "delete service", hint: "none")
        error.isInUserNamespace = true
        return error
    }()

    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private func read<Value: Decodable>(_ text: String, as: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }

    private func roundTrip<Value: Codable & Equatable>(_ values: Value...) throws {
        for value in values {
            let text = try text(value)
            #expect(try read(text) == value, "\(text)")
        }
    }

    @Test func theFormIsThis() throws {
        let table = Table([.init(Self.service, destinations: [Self.tunnel, Self.destination])])
        #expect(
            try text(table) == """
                [{"destinations":[\
                {"forwarding":"Masq","id":"10.0.0.1:8080","lowerThreshold":0,"upperThreshold":0,"weight":2},\
                {"forwarding":"Tunnel","id":"[fd00::1]:80","lowerThreshold":3,\
                "tunnel":{"flags":["checksum"],"port":6080,"type":"gue"},"upperThreshold":9,"weight":1}],\
                "service":{"flags":["hashFallback","0x20"],"id":"TCP 192.168.5.1:80",\
                "persistence":{"netmask":"24","timeoutSeconds":60},"persistenceEngine":"sip","scheduler":"mh"}}]
                """)
        #expect(
            try text([Change.deleteDestination(Self.destination.id, of: .firewallMark(258, .ipv6))])
                == #"[{"change":"deleteDestination","destination":"10.0.0.1:8080","of":"FWM 258 IPv6"}]"#)
        #expect(
            try text(Self.error) == """
                {"code":"serviceNotFound","errno":3,"hint":"none","isInUserNamespace":true,"operation":"delete service"}
                """)
        #expect(try text(Timeouts(udpSeconds: 3)) == #"{"udpSeconds":3}"#)
        #expect(try text(Statistics()).contains(#""incomingByteRate":0"#))
    }

    @Test func whatMayBeMissingIsTheDefault() throws {
        #expect(
            try read(#"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1:80"}]}]"#)
                == Table([
                    .init(
                        VirtualService(id: .firewallMark(1, .ipv4)), destinations: [Destination("10.0.0.1", port: 80)])
                ]))
        #expect(
            try read(#"{"persistence":{},"id":"FWM 1"}"#)
                == VirtualService(id: .firewallMark(1, .ipv4), persistence: .init()))
        // Values in other forms are equal.
        #expect(
            try read(#"{"persistence":{"netmask":"255.255.255.255"},"id":"FWM 1"}"#, as: VirtualService.self)
                .persistence?.netmask == nil)
    }

    @Test func allValuesAreReadAsTheyWereWritten() throws {
        try roundTrip(Table(), Table([.init(Self.service, destinations: [Self.tunnel, Self.destination])]))
        try roundTrip(Self.web, .firewallMark(7, .ipv4), .firewallMark(7, .ipv6))
        try roundTrip(AddressFamily.ipv4, .ipv6)
        try roundTrip([Destination.ForwardingMethod(rawValue: 7), .local], [])
        try roundTrip(VirtualService.Persistence(), .init(timeoutSeconds: 0, netmask: .mask(0xFF)))
        try roundTrip(Timeouts(), .init(tcpSeconds: 1, tcpFinSeconds: 2, udpSeconds: 3))
        try roundTrip(
            SyncDaemon(role: .backup, interface: "eth0"),
            SyncDaemon(
                role: .master, interface: "eth0", syncID: 9, maximumLength: 1400, group: "ff02::1", port: 8848,
                timeToLive: 2))
        try roundTrip(Info(version: .init(rawValue: 0x010201), connectionTableSize: 4096))
        try roundTrip(
            Features(
                tunnelTypes: true, wideCounters: false, mixedFamilies: true, ipv6: false, conntrack: true,
                estimatorThreads: false))
        try roundTrip(Setting<Bool>("conntrack"))
        try roundTrip(DefenseMode.always, .init(rawValue: 9))
        try roundTrip(ConnectionReuse([.whenSafe, .init(rawValue: 8)]), [])
        try roundTrip(SyncThreshold(packets: 3, period: 50))
        try roundTrip(SyncVersion.current)
        try roundTrip(SyncPersistMode.templatesOnly)
        try roundTrip(CPUList.all, "0-3")

        var statistics = Statistics()
        (statistics.connections, statistics.outgoingByteRate) = (.max, 7)
        try roundTrip(statistics)
        var status = DestinationStatus(destination: Self.tunnel, statistics: statistics)
        (status.activeConnections, status.inactiveConnections, status.persistentConnections) = (1, 2, 3)
        status.unknownAttributes = [.init(type: 99, bytes: [0, 255])]
        try roundTrip(status)
        var whole = VirtualServiceStatus(service: Self.service, statistics: statistics, destinations: [status])
        whole.unknownAttributes = [.init(type: 99, bytes: [])]
        try roundTrip(whole)
        try roundTrip(whole.summary)

        try roundTrip(
            Change.createService(Self.service), .updateService(Self.service), .deleteService(Self.web),
            .createDestination(Self.destination, of: Self.web), .updateDestination(Self.tunnel, of: Self.web),
            .deleteDestination(Self.tunnel.id, of: Self.web))
        try roundTrip(
            TableEvent.serviceAdded(Self.service), .serviceChanged(Self.service, from: VirtualService(id: Self.web)),
            .serviceRemoved(Self.service), .destinationAdded(Self.tunnel, of: Self.web),
            .destinationChanged(Self.tunnel, from: Destination("fd00::1", port: 80), of: Self.web),
            .destinationRemoved(Self.tunnel, of: Self.web),
            .serviceCounted(statistics, from: Statistics(), of: Self.web),
            .destinationCounted(status, from: DestinationStatus(destination: Self.tunnel), of: Self.web), .upToDate)
        try roundTrip(
            Connection(
                protocol: .udp, client: .init("10.1.0.2", port: 0), virtual: .init("fd00::1", port: 53),
                destination: Self.destination.id, state: .assured, expiresInSeconds: 7,
                persistenceKey: .init(engine: "sip", data: "\u{e9}\n")))

        try roundTrip(Self.error, IPVSError(.closed, operation: "read"))
        try roundTrip(PerformResult.Outcome.done, .unknown, .notSent, .failed(Self.error))
        let changes: [Change] = [.createService(Self.service), .deleteService(Self.web), .deleteService(Self.web)]
        try roundTrip(
            PerformResult(changes: changes),
            PerformResult(changes: changes, failures: [.init(index: 2, error: Self.error)]),
            PerformResult(changes: changes, failures: [], interruption: Self.error, confirmed: 1, sent: 2),
            PerformResult(count: 3, failures: []))
    }

    @Test func anyTableIsReadAsItWasWritten() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<100 { try roundTrip(Table.random(using: &generator)) }
    }

    /// Every constant has a name, and every name is one.
    @Test func codesHaveNames() throws {
        #expect(try read(#"["cancelled","closed","other"]"#) == [IPVSError.Code.cancelled, .closed, .other])
    }

    private func refused<Value: Decodable>(_ text: String, _: Value.Type, at path: String, _ reason: String) {
        do {
            _ = try read(text, as: Value.self)
            Issue.record("taken: \(text)")
        } catch DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.keyNotFound(_, let context), DecodingError.valueNotFound(_, let context)
        {
            let found = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
            #expect(
                found == path && (reason.isEmpty || context.debugDescription.contains(reason)),
                "\(found): \(context.debugDescription)")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func whatIsNoTableIsRefusedByItsPlace() {
        func table(_ text: String, at path: String, _ reason: String) { refused(text, Table.self, at: path, reason) }
        table(#"[{"service":{"id":"TCP 1"}}]"#, at: "0.service.id", #""TCP 1" is no virtual service"#)
        table(#"[{"service":{}}]"#, at: "0.service", "id")
        table(
            #"[{"service":{"id":"FWM 1","weight":1}}]"#, at: "0.service.weight",
            #"there is no field "weight", only flags, id"#)
        table(
            #"[{"service":{"id":"FWM 1","flags":["ops"]}}]"#, at: "0.service.flags", #""ops" is no flag of a service"#)
        table(
            #"[{"service":{"id":"FWM 1","persistence":{"netmask":"x"}}}]"#, at: "0.service.persistence.netmask",
            "no netmask")
        table(#"[{"service":{"id":"FWM 1"}},{"service":{"id":"FWM 1"}}]"#, at: "", "a service appears twice")
        table(
            #"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1:80"},{"id":"10.0.0.1:80"}]}]"#,
            at: "0.destinations", "a destination appears twice")
        table(
            #"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1"}]}]"#, at: "0.destinations.0.id",
            "no address with a port")
        table(
            #"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1:80","weight":-1}]}]"#,
            at: "0.destinations.0.weight", "")
        table(
            #"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1:80","tunnel":{}}]}]"#,
            at: "0.destinations.0.tunnel", "has no tunnel")
        table(
            #"[{"service":{"id":"FWM 1"},"destinations":[{"id":"10.0.0.1:80","forwarding":"nat"}]}]"#,
            at: "0.destinations.0.forwarding", #""nat" is no forwarding method"#)
        table(#"{}"#, at: "", "")
    }

    @Test func whatIsNoOtherValueIsRefusedByItsPlace() {
        refused(
            #"{"change":"deleteService","service":"FWM 1","of":"FWM 1"}"#, Change.self, at: "of",
            "means nothing for deleteService")
        refused(#"{"change":"flush"}"#, Change.self, at: "change", "")
        refused(#"{"event":"upToDate","of":"FWM 1"}"#, TableEvent.self, at: "of", "means nothing")
        refused(#"{"outcome":"done","error":null}"#, PerformResult.Outcome.self, at: "error", "means nothing for done")
        refused(
            #"{"count":1,"failures":[{"index":1,"error":{"code":"other","operation":""}}]}"#, PerformResult.self,
            at: "failures", "")
        refused(#"{"count":1,"sent":1}"#, PerformResult.self, at: "sent", "ran to its end")
        refused(
            #"{"count":1,"interruption":{"code":"other","operation":""},"sent":2,"confirmed":0}"#, PerformResult.self,
            at: "sent", "")
        refused(#"{"count":-1}"#, PerformResult.self, at: "count", "")
        refused(#"{"code":"teapot","operation":""}"#, IPVSError.self, at: "code", #""teapot" is no code"#)
        refused(#"{"tcp":1}"#, Timeouts.self, at: "tcp", "there is no field")
        refused(#"{"role":"both","interface":"eth0"}"#, SyncDaemon.self, at: "role", "no role")
        refused(#"{"role":"backup","interface":"eth0","syncID":256000000000}"#, SyncDaemon.self, at: "syncID", "")
        refused(#"{"version":"1.2","connectionTableSize":1}"#, Info.self, at: "version", "no version")
        refused(#"["a/b"]"#, [Setting<Bool>].self, at: "0", "no name of a setting")
        refused(#"{"connections":1,"packets":2}"#, Statistics.self, at: "packets", "there is no field")
        refused(#"["IPv5"]"#, [AddressFamily].self, at: "0", "no address family")
    }
}
