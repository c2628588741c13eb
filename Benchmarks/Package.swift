// swift-tools-version: 6.2
import PackageDescription

let strict = Context.environment["MESHCTL_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

// This is a package of its own, so that users of the library do not build its rivals.
let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "meshctl", path: ".."),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
    ],
    targets: [
        // The harness: starts the peers, alternates them, checks the kernel, prints.
        .executableTarget(name: "bench", swiftSettings: settings),

        // Results, goals, and namespaces of the guest.
        .target(name: "BenchSupport", swiftSettings: settings),

        // Measures what published ports cost, comparing few with many.
        .executableTarget(
            name: "rules-bench",
            dependencies: [
                "BenchSupport",
                .product(name: "IPVSKit", package: "meshctl"), .product(name: "RuleKit", package: "meshctl"),
                .product(name: "MeshKit", package: "meshctl"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: settings),

        // Compares published ports with haproxy and with a Docker Swarm.
        .executableTarget(
            name: "mesh-bench", dependencies: ["BenchSupport", .product(name: "meshctl", package: "meshctl")],
            swiftSettings: settings),

        // IPVSKit and its peers: each program does the same work and measures itself.
        .executableTarget(
            name: "ipvskit-peer", dependencies: [.product(name: "IPVSKit", package: "meshctl")], swiftSettings: settings
        ),
        .executableTarget(name: "raw-batch-peer", dependencies: ["PeerSupport"]),
        .executableTarget(name: "libnl-peer", dependencies: ["PeerSupport", "CLibnl"]),
        .executableTarget(name: "ipvsadm-peer", dependencies: ["PeerSupport"]),

        .target(name: "PeerSupport"),
        // Carries pkg-config's flags; never imported.
        .systemLibrary(name: "CLibnl", pkgConfig: "libnl-genl-3.0", providers: [.apt(["libnl-genl-3-dev"])]),
    ],
    swiftLanguageModes: [.v6]
)
