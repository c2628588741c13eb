// swift-tools-version: 6.3
import PackageDescription

// A package of its own, since it links only with libFuzzer. Build and run it by `make fuzz`: the sanitizers must reach
// the library's targets as well, and only the command line can say so.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(name: "meshctl", path: "..", traits: [])
    ],
    targets: [
        .executableTarget(name: "FuzzReceivePath", dependencies: [.product(name: "IPVSKit", package: "meshctl")])
    ],
    swiftLanguageModes: [.v6]
)
