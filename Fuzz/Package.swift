// swift-tools-version: 6.3
import PackageDescription

// This is a package of its own, since it links only with libFuzzer. `make fuzz` builds it: the sanitizers must also
// apply to the targets of the library, which needs flags on the command line.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(name: "meshctl", path: "..", traits: ["Mesh"])
    ],
    targets: [
        .target(name: "CLibFuzzer"),
        .executableTarget(
            name: "FuzzReceivePath", dependencies: ["CLibFuzzer", .product(name: "IPVSKit", package: "meshctl")]),
        .executableTarget(
            name: "FuzzMeshFile", dependencies: ["CLibFuzzer", .product(name: "MeshKit", package: "meshctl")]),
    ],
    swiftLanguageModes: [.v6]
)
