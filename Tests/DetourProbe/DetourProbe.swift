import MeshKit

/// The detour's links as a program, for the tests to run it the ways that meshctl is run: by `ip netns exec`, by
/// `nsenter`, plainly.
@main
struct DetourProbe {
    static func main() async throws {
        let links = DetourLinks()
        switch CommandLine.arguments.dropFirst().first {
        case "install": try await links.install()
        case "remove": try await links.remove()
        default: break
        }
        print(try await links.observe())
    }
}
