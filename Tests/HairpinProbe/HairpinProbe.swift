import MeshKit

/// Makes a bridge port turn packets back, and prints why that failed: `HairpinProbe PORT`. A program of its own, so that
/// the tests can run it as a user who may not.
@main
struct HairpinProbe {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else { throw InputError("HairpinProbe PORT") }
        do {
            try await Bridges().setHairpin(true, of: CommandLine.arguments[1])
        } catch {
            print("\(type(of: error)): \(error)")
        }
    }
}
