import Conntrack
import IPVSKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.ConntrackTests {
    @Test func aNamespaceThatTracksNothingHasNoFlows() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("empty")
            let conntrack = try Conntrack(in: .named(namespace.name))
            let all = FlowFilter(protocol: .udp)
            #expect(try await conntrack.flows(matching: all) == [])
            #expect(try await conntrack.count(matching: all) == 0)
            #expect(try await conntrack.delete(matching: [all]) == 0)
        }
    }

    @Test func aNamespaceThatIsNotThereIsSaidToBe() {
        #expect {
            try Conntrack(in: .named("mt-nobody"))
        } throws: {
            ($0 as? ConntrackError)?.code == .namespace
                && "\($0)"
                    == "cannot open network namespace mt-nobody: the network namespace cannot be used "
                    + "(errno 2: No such file or directory)"
        }
    }

    @Test func aDeadlineAndACancellationEndTheWait() async throws {
        try await Topology.with { topology in
            let name = try await topology.namespace("n").name
            let all = FlowFilter(protocol: .udp)
            let hurried = try Conntrack(in: .named(name), deadline: .zero)
            await #expect { try await hurried.count(matching: all) } throws: {
                ($0 as? ConntrackError)?.code == .deadlineExceeded
            }
            let patient = try Conntrack(in: .named(name))
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await patient.count(matching: all)
            }
            await #expect { try await task.value } throws: { ($0 as? ConntrackError)?.code == .cancelled }
            #expect(try await patient.count(matching: all) == 0)
        }
    }

    /// Calls go to threads that enter the namespace and end there: none is left behind, and none sees another's.
    @Test func manyCallsInTwoNamespacesKeepApart() async throws {
        try await TrackedNode.with { host in
            try await host.send(to: host.link.near6, ports: 1000...1019)
            let home = try #require(try ownThreads()["\(getpid())"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    let (name, count) = number.isMultiple(of: 2) ? (host.node.name, 20) : (host.client.name, 0)
                    group.addTask {
                        let conntrack = try Conntrack(in: .named(name))
                        #expect(try await conntrack.count(matching: FlowFilter(protocol: .udp)) == count)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await soon { try ownThreads().values.allSatisfy { $0 == home } })
        }
    }

    /// Runs itself again on the node, as a program that is somebody else.
    @Test func privilegeDecides() async throws {
        if let role = getenv(Somebody.variable) {
            try await #require(Somebody(rawValue: String(cString: role))).check()
            return
        }
        // So that the kernel need load nothing, which it does for root only.
        try await Shell.check("modprobe", "nf_conntrack_netlink")
        let own = try await Shell.check("readlink", "/proc/\(getpid())/exe").split(separator: "\n")[0]
        try await TrackedNode.with { host in
            try await host.send(to: host.link.near4, ports: 1000...1002)
            for somebody in Somebody.allCases {
                let ran = try await host.node.run(
                    somebody.becoming + [
                        String(own), "--testing-library", "swift-testing", "--filter",
                        "ConntrackTests.*privilegeDecides",
                    ],
                    environment: [Somebody.variable: somebody.rawValue, Somebody.elsewhere: host.client.name])
                #expect(ran.status == 0, "\(ran)")
                #expect((ran.output + ran.error).contains("Test run with 1 test "), "\(ran)")
            }
        }
    }

    enum Somebody: String, CaseIterable {
        static let variable = "MESHCTL_TEST_SOMEBODY"
        static let elsewhere = "MESHCTL_TEST_ELSEWHERE"

        case nobody
        case rootOfAUserNamespace
        /// Has CAP_NET_ADMIN, and not the CAP_SYS_ADMIN that it takes to enter a namespace.
        case networkAdministrator

        /// The program that becomes it, and runs another.
        var becoming: [String] {
            switch self {
            case .nobody: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            case .rootOfAUserNamespace: ["unshare", "--user", "--map-root-user"]
            case .networkAdministrator: ["setpriv", "--bounding-set=-all,+net_admin"]
            }
        }

        func check() async throws {
            let filter = FlowFilter(protocol: .udp)
            let here = try Conntrack()
            guard self == .networkAdministrator else {
                await expectNotPermitted("CAP_NET_ADMIN in the user namespace") {
                    try await here.count(matching: filter)
                }
                await expectNotPermitted("CAP_NET_ADMIN in the user namespace") {
                    try await here.delete(matching: [filter])
                }
                return
            }
            #expect(try await here.count(matching: filter) == 3)
            let elsewhere = try Conntrack(in: .named(String(cString: try #require(getenv(Self.elsewhere)))))
            await expectNotPermitted("CAP_SYS_ADMIN") { try await elsewhere.count(matching: filter) }
        }

        private func expectNotPermitted(_ hint: String, _ body: () async throws -> Int) async {
            await #expect { try await body() } throws: { error in
                guard let error = error as? ConntrackError else { return false }
                return error.code == .notPermitted && error.errno == .notPermitted
                    && error.hint?.contains(hint) == true
            }
        }
    }

    /// A kernel that can load no module, which is what one without it looks like.
    @Test func withoutTheModuleItSaysWhichOne() async throws {
        try await Topology.with { topology in
            let conntrack = try Conntrack(in: .named(try await topology.namespace("n").name))
            // Without this one, the kernel has no sockets of netfilter's at all.
            try await Shell.check("modprobe", "nfnetlink")
            let loader = FilePath("/proc/sys/kernel/modprobe")
            let path = try loader.text()
            try loader.write("/bin/false")
            var unloaded = false
            for _ in 0..<50 where !unloaded {
                _ = try await Shell.run(["rmmod", "nf_conntrack_netlink"])
                unloaded = try !FilePath("/proc/modules").text().contains("nf_conntrack_netlink ")
                if !unloaded { try await Task.sleep(for: .milliseconds(200)) }
            }
            var thrown: ConntrackError?
            do throws(ConntrackError) {
                _ = try await conntrack.count(matching: FlowFilter(protocol: .udp))
            } catch {
                thrown = error
            }
            try loader.write(path)
            #expect(unloaded)
            #expect(thrown?.code == .unavailable)
            #expect(thrown?.errno == .invalidArgument)
            #expect(thrown?.description.contains("modprobe nf_conntrack_netlink") == true)
            // And the kernel loads it where it can.
            #expect(try await conntrack.count(matching: FlowFilter(protocol: .udp)) == 0)
        }
    }
}
