import MeshKit

/// Sets up the detour's links as a program, so that tests can run it in the ways in which meshctl is run: by `ip netns
/// exec`, by `nsenter`, plainly. It also prints the error for a bridge port that cannot be set.
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
