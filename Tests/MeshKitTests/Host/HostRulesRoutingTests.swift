import IPVSKit
import Testing

@testable import MeshKit

/// Who else may need that the node forwards, by the host's rules.
@Suite struct HostRulesRoutingTests {
    @Test func chainsOfOthersThatTranslateOrForwardCount() {
        let rules = HostRules(
            iptables: """
                *nat
                :PREROUTING ACCEPT [0:0]
                :POSTROUTING ACCEPT [0:0]
                :MESH-SNAT - [0:0]
                -A POSTROUTING -j MESH-SNAT
                -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE
                COMMIT
                *filter
                :INPUT ACCEPT [0:0]
                :FORWARD ACCEPT [0:0]
                :MESH-FORWARD - [0:0]
                -A INPUT -p tcp -j ACCEPT
                -A FORWARD -j MESH-FORWARD
                COMMIT
                """)
        // Not INPUT, and not a chain in which nothing but ours is called.
        #expect(rules.routing(.ipv4) == ["the rules of nat POSTROUTING"])
        #expect(rules.routing(.ipv6).isEmpty)
    }
}
