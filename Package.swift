// swift-tools-version: 6.2
import PackageDescription

/// `MESHCTL_STRICT=1` (set by make and CI) turns warnings into errors. Packages that depend on this one never get that:
/// a released package must also build with the next compiler.
let strict = Context.environment["MESHCTL_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// The condition for dependencies that only the mesh needs. A package that uses only IPVS says `traits: []` and
/// downloads none of them.
let mesh: TargetDependencyCondition? = .when(traits: ["Mesh"])

let package = Package(
    name: "meshctl",
    products: [
        .library(name: "IPVSKit", targets: ["IPVSKit"]),
        .library(name: "IPVSKitTesting", targets: ["IPVSKitTesting"]),
        .library(name: "RuleKit", targets: ["RuleKit"]),
        .library(name: "Conntrack", targets: ["Conntrack"]),
        .library(name: "MeshKit", targets: ["MeshKit"]),
        .executable(name: "meshctl", targets: ["meshctl"]),
    ],
    traits: [
        .trait(name: "Mesh", description: "The routing mesh: RuleKit, Conntrack, MeshKit and the command meshctl."),
        .default(enabledTraits: ["Mesh"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.9.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.20.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.90.0"),
    ],
    targets: [
        // This target carries pkg-config's flags and the apt hint; it is never imported.
        .systemLibrary(
            name: "CNetlinkSystem", pkgConfig: "libnl-genl-3.0", providers: [.apt(["libnl-genl-3-dev"])]),
        .target(name: "CNetlink", dependencies: ["CNetlinkSystem"]),
        .target(
            name: "Netlink",
            dependencies: ["CNetlink", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: settings),
        .target(
            name: "IPVSKit",
            dependencies: [
                "Netlink", "CNetlink",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .target(
            name: "IPVSKitTesting",
            dependencies: [
                "IPVSKit", "Netlink", "CNetlink", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),

        .systemLibrary(name: "CIPSetSystem", pkgConfig: "libipset", providers: [.apt(["libipset-dev"])]),
        .target(name: "CIPSet", dependencies: ["CIPSetSystem"]),
        .systemLibrary(name: "CNFTablesSystem", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
        .target(name: "CNFTables", dependencies: ["CNFTablesSystem"]),
        .target(
            name: "RuleKit",
            dependencies: [
                "IPVSKit", "Netlink", "CIPSet", "CNFTables",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess", condition: mesh),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .systemLibrary(
            name: "CConntrackSystem", pkgConfig: "libnetfilter_conntrack",
            providers: [.apt(["libnetfilter-conntrack-dev"])]),
        .target(name: "CConntrack", dependencies: ["CConntrackSystem"]),
        .target(
            name: "Conntrack",
            dependencies: [
                "IPVSKit", "Netlink", .target(name: "CConntrack", condition: mesh),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .target(
            name: "MeshKit",
            dependencies: [
                "IPVSKit", "RuleKit", "Conntrack", "Netlink", "CNetlink",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Yams", package: "Yams", condition: mesh),
            ],
            swiftSettings: settings),
        // The containers of Docker and Podman.
        .target(
            name: "Containers",
            dependencies: [
                "MeshKit", "IPVSKit", "Netlink",
                .product(name: "NIOCore", package: "swift-nio", condition: mesh),
                .product(name: "NIOPosix", package: "swift-nio", condition: mesh),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: mesh),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        // The probes of health checks.
        .target(
            name: "HealthProbes",
            dependencies: [
                "MeshKit", "IPVSKit", "Netlink",
                .product(name: "NIOCore", package: "swift-nio", condition: mesh),
                .product(name: "NIOPosix", package: "swift-nio", condition: mesh),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: mesh),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        // What the agent says of itself by HTTP.
        .target(
            name: "AgentAPI",
            dependencies: [
                "MeshKit", "RuleKit", "IPVSKit", "Netlink",
                .product(name: "Hummingbird", package: "hummingbird", condition: mesh),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: mesh),
                .product(name: "NIOCore", package: "swift-nio", condition: mesh),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: mesh),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "meshctl",
            dependencies: [
                "MeshKit", "RuleKit", "Conntrack", "IPVSKit", "Containers", "HealthProbes", "AgentAPI",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: mesh),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: mesh),
                .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: mesh),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),

        .executableTarget(
            name: "balance-port", dependencies: ["IPVSKit"], path: "Examples/balance-port", swiftSettings: settings),
        .executableTarget(
            name: "live-table", dependencies: ["IPVSKit"], path: "Examples/live-table", swiftSettings: settings),
        .executableTarget(
            name: "watch", dependencies: ["IPVSKit", .product(name: "SystemPackage", package: "swift-system")],
            path: "Examples/watch", swiftSettings: settings),

        .target(
            name: "TestSupport",
            dependencies: [
                "Netlink",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Subprocess", package: "swift-subprocess", condition: mesh),
            ],
            path: "Tests/TestSupport", swiftSettings: settings),
        .executableTarget(
            name: "AllocationProbe", dependencies: ["IPVSKit"], path: "Tests/AllocationProbe",
            exclude: ["malloc-counter.c"], swiftSettings: settings),
        .executableTarget(
            name: "HairpinProbe", dependencies: ["MeshKit"], path: "Tests/HairpinProbe", swiftSettings: settings),
        .executableTarget(
            name: "ChurnProbe",
            dependencies: ["MeshKit", "RuleKit", "IPVSKit", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/ChurnProbe", swiftSettings: settings),
        .executableTarget(
            name: "LockProbe",
            dependencies: ["MeshKit", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/LockProbe", swiftSettings: settings),
        .executableTarget(
            name: "StoreProbe",
            dependencies: [
                "MeshKit", "IPVSKit", "FakeKernel", .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/StoreProbe", swiftSettings: settings),
        .testTarget(
            name: "NetlinkTests",
            dependencies: ["Netlink", "TestSupport", .product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: settings),
        .testTarget(
            name: "IPVSKitTests",
            dependencies: [
                "IPVSKit", "Netlink", "AllocationProbe", "balance-port", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        // The promises of IPVS, which are checked on the fake and on the real kernel.
        .target(
            name: "IPVSContract",
            dependencies: ["IPVSKit", "Netlink", "CNetlink", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/IPVSContract", swiftSettings: settings),
        .testTarget(
            name: "IPVSKitTestingTests",
            dependencies: [
                "IPVSKitTesting", "IPVSKit", "IPVSContract", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RuleKitTests",
            dependencies: [
                "RuleKit", "IPVSKit", "Netlink", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ConntrackTests",
            dependencies: [
                "Conntrack", "CConntrack", "IPVSKit", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        // A kernel of several namespaces in memory, with the model that what it holds is followed by.
        .target(
            name: "FakeKernel",
            dependencies: [
                "MeshKit", "RuleKit", "IPVSKit", "IPVSKitTesting", "Netlink",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/FakeKernel", swiftSettings: settings),
        .testTarget(
            name: "MeshKitTests",
            dependencies: [
                "MeshKit", "RuleKit", "IPVSKit", "IPVSKitTesting", "Netlink", "FakeKernel", "LockProbe", "StoreProbe",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ContainersTests",
            dependencies: [
                "Containers", "MeshKit", "IPVSKit", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HealthProbesTests",
            dependencies: [
                "HealthProbes", "MeshKit", "IPVSKit", "Netlink", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "AgentAPITests",
            dependencies: [
                "AgentAPI", "MeshKit", "RuleKit", "IPVSKit", "Netlink", "FakeKernel", "meshctl", "TestSupport",
                .product(name: "Yams", package: "Yams", condition: mesh),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: mesh),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MeshctlTests",
            dependencies: [
                "meshctl", "MeshKit", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: mesh),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "IPVSKit", "IPVSKitTesting", "IPVSContract", "FakeKernel", "MeshKit", "RuleKit", "Conntrack",
                "CConntrack",
                "Netlink",
                "meshctl", "balance-port", "live-table", "watch", "HairpinProbe", "ChurnProbe",
                "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
