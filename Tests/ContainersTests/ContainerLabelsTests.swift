import IPVSKit
import MeshKit
import RuleKit
import Testing

@testable import Containers

/// What people write on containers, right and wrong.
@Suite struct ContainerLabelsTests {
    @Test func everyLabel() {
        let labels = ContainerLabels(
            [
                "meshctl.enable": "true", "meshctl.service": "web", "meshctl.publish": "1080:80, 1053:53/udp",
                "meshctl.network": "ingress,back", "meshctl.engine-network": "front", "meshctl.weight": "3",
                "meshctl.scheduler": "wlc", "meshctl.sticky": "10m", "meshctl.allow": "10.0.0.0/8 fd00::/8",
                "meshctl.source-ip": "nat", "meshctl.drain": "30s", "meshctl.max-conns": "100", "other": "label",
                "meshctl.slow-start": "1m", "com.docker.compose.service": "x",
            ], of: "web1")
        #expect(labels.faults == [])
        #expect(!labels.isExcluded)
        #expect(labels.service == "web")
        #expect(
            labels.ports == [
                .init(listening: PortBinding(1080, .tcp), target: 80),
                .init(listening: PortBinding(1053, .udp), target: 53),
            ])
        #expect(labels.networks == ["ingress", "back"])
        #expect(labels.engineNetwork == "front")
        #expect(labels.weight == 3)
        #expect(labels.options.scheduler == .weightedLeastConnection)
        #expect(labels.options.stickySeconds == 600)
        #expect(labels.options.allowed == ["10.0.0.0/8", "fd00::/8"])
        #expect(labels.options.sourceIP == .nat)
        #expect(labels.options.drain == .seconds(30))
        #expect(labels.options.maxConnections == 100)
        #expect(labels.options.slowStartSeconds == 60)
    }

    @Test(
        arguments: [
            ("publish", "80", "write the published port"), ("publish", "1080:80/icmp", "is not a protocol"),
            ("publish", "0:80", "is not a port"), ("publish", "127.0.0.1:1080:80", "loopback"),
            ("enable", "yes", "write true or false"), ("service", "a b", "is no service name"),
            ("network", "a/b", "is no network name"), ("weight", "-1", "write a number"),
            ("weight", "x", "write a number"),
            ("scheduler", "best", "write "), ("sticky", "soon", "write a time"),
            ("allow", "everybody", "write networks"),
            ("source-ip", "mine", "write auto, keep or nat"), ("drain", "soon", "or unlimited"),
            ("slow-start", "soon", "write a time"),
            ("max-conns", "many", "write a number, or off"), ("publsh", "1080:80", "which meshctl does not know"),
            ("service", "\u{1b}[2J", "is no service name"),
        ])
    func aLabelThatMakesNoSense(label: String, text: String, words: String) throws {
        let labels = ContainerLabels(["meshctl.drain": "5s"].merging(["meshctl.\(label)": text]) { $1 }, of: "web1")
        let fault = try #require(labels.faults.first)
        #expect(labels.faults.count == 1)
        #expect(fault.hasPrefix("container web1 has the label meshctl.\(label)"), "\(fault)")
        #expect(fault.contains(words), "\(fault)")
        #expect(!fault.contains("\u{1b}"))
        // The others hold.
        if label != "drain" { #expect(labels.options.drain == .seconds(5)) }
    }

    @Test func aContainerThatWantsToBeLeftAlone() {
        #expect(ContainerLabels(["meshctl.enable": "false"], of: "a").isExcluded)
        #expect(!ContainerLabels([:], of: "a").isExcluded)
    }

    /// `docker compose run api ./migrate` makes a container with the labels of the service, which serves nobody.
    @Test(arguments: ["True", "true"]) func aContainerForOneCommand(text: String) {
        var labels = ["com.docker.compose.oneoff": text, "com.docker.compose.service": "api", "meshctl.service": "api"]
        #expect(ContainerLabels(labels, of: "a").isExcluded)
        labels["meshctl.enable"] = "nonsense"
        #expect(ContainerLabels(labels, of: "a").isExcluded)
        labels["meshctl.enable"] = "true"
        #expect(!ContainerLabels(labels, of: "a").isExcluded)
        #expect(!ContainerLabels(["com.docker.compose.oneoff": "False"], of: "a").isExcluded)
    }
}
