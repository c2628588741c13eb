import ArgumentParser
import MeshKit
import RuleKit

/// `1080:80`, `192.168.5.1:1080:80/udp`, `[fd00::1]:1000-1010:2000-2010`: the port to publish and the port in the task.
enum PublishArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> PublishText { try PublishText(text) }
}

/// `1080`, `1000-1010/udp`, `192.168.5.1:1080`.
enum PortArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> PortBinding { try PortText.binding(text) }
}

/// Reads an argument. A fault of the argument is wrong usage, and not invalid input.
func validating<Value>(_ body: () throws(InputError) -> Value) throws -> Value {
    do throws(InputError) {
        return try body()
    } catch {
        throw ValidationError("\(error).")
    }
}
