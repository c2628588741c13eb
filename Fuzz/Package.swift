// swift-tools-version: 6.3
import PackageDescription

// A package of its own, since it links with libFuzzer only. `make fuzz` builds it: the sanitizers must reach the
// targets of the library too, which takes flags of the command line.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(name: "meshctl", path: "..", traits: [])
    ],
    targets: [
        .target(name: "CLibFuzzer"),
        .executableTarget(
            name: "FuzzReceivePath", dependencies: ["CLibFuzzer", .product(name: "IPVSKit", package: "meshctl")]),
    ],
    swiftLanguageModes: [.v6]
)
