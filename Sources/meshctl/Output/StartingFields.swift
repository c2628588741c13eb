import IPVSKit
import MeshKit

/// A task that has less than its share of new connections, as JSON.
struct StartingFields: Codable, Sendable, CustomStringConvertible {
    var service: String
    var task: IPAddress
    /// How many tenths of its share it has.
    var tenths: UInt32
    var secondsLeft: UInt64

    init(_ starter: SlowStarter) {
        service = starter.service
        task = starter.task
        tenths = starter.tenths
        secondsLeft = starter.secondsLeft
    }

    /// The line for people.
    var description: String {
        SlowStarter.text(SlowStarter.name(of: task, in: service), tenths: tenths, secondsLeft: secondsLeft)
    }
}
