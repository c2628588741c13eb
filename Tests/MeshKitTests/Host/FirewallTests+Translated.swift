import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Packets whose destination our own rules have translated, in chains that ask for that.
extension FirewallTests {
    /// A sticky port, 3080, whose packets INPUT sees at the task's port.
    private static func sticky(
        in rules: HostRules, translated: UInt16 = 81, allowed: [IPPrefix] = []
    ) async -> Firewall.Answer? {
        await Firewall(rules).answer(
            publishing: .tcp, ports: 3080...3080, translated: translated...translated, at: node, allowed: allowed,
            families: [.ipv4], mark: 0x100)
    }

    /// firewalld lets in whatever was translated, and to open a port of it would open the node's own.
    @Test func firewalldLetsInWhatIsTranslated() async {
        let rules = HostRules(nft: HostTexts.firewalld)
        #expect(await Self.sticky(in: rules)?.verdict == .accepted)
        #expect(await Self.publishing(PortBinding(3080, .tcp), in: rules)?.verdict != .accepted)
    }

    /// What is said to type lets in what is translated alone, and not what comes to the same port of the node.
    @Test(
        arguments: [
            (input("INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"), "accepted", []),
            (input("INPUT -m conntrack --ctstatus DNAT -j ACCEPT"), "accepted", []),
            (input("INPUT -m conntrack ! --ctstatus DNAT -j ACCEPT"), "dropped: policy DROP", [dnat]),
            (input("INPUT -m conntrack --ctstatus SNAT -j ACCEPT"), "dropped: policy DROP", [dnat]),
            (input("INPUT -p tcp -m tcp --dport 3080 -j ACCEPT"), "dropped: policy DROP", [dnat]),
            (HostTexts.ufw, "dropped: policy DROP", [dnat]),
        ] as [(String, String, [String])])
    func whatIsTranslated(text: String, verdict: String, advice: [String]) async {
        let answer = await Self.sticky(in: HostRules(iptables: text))
        #expect(Self.text(answer?.verdict) == verdict)
        #expect(answer?.advice == advice)
    }

    private static let dnat = "iptables -I INPUT -p tcp --dport 81 -m conntrack --ctstate DNAT -j ACCEPT"

    @Test func whatIsTranslatedByNFTables() async {
        let answer = await Self.sticky(
            in: HostRules(nft: Self.nft("inet", "input", 0, #"{"counter": null}"#, policy: "drop")),
            allowed: [IPPrefix("10.9.0.0", length: 16)])
        #expect(
            answer?.advice == ["nft insert rule inet t c ip saddr 10.9.0.0/16 tcp dport 81 ct status dnat accept"])
    }
}
