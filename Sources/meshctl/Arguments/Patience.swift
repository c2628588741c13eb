import ArgumentParser
import MeshKit

/// The option of commands that give a live port another path, or none.
struct Patience: ParsableArguments {
    @Flag(help: "Cut the open connections that lose their path, instead of letting them go on until they end.")
    var now = false
}

/// The option of commands by which tasks drain.
struct Waiting: ParsableArguments {
    @Flag(help: "Wait until no connection is left, or until the time of --drain is over. Shows how many are left.")
    var wait = false
}
