import MeshKit

/// The detour's links as a program, for the tests to run it the ways that meshctl is run: by `ip netns exec`, by
/// `nsenter`, plainly. And what is said of a bridge port that cannot be set.
@main
struct DetourProbe {
    static func main() async throws {
        let links = DetourLinks()
        switch CommandLine.arguments.dropFirst().first {
        case "install": try await links.install()
        case "remove": try await links.remove()
        case "hairpin":
            do {
                try await Bridges().setHairpin(true, of: CommandLine.arguments[2])
            } catch {
                print("\(type(of: error)): \(error)")
            }
            return
        default: break
        }
        print(try await links.observe())
    }
}
