/// What is measured. Every work is done once in a fresh namespace, in this order.
enum Work: String, CaseIterable {
    /// All services and destinations.
    case create
    /// Another weight for every destination.
    case update
    /// All of them with their counters, as values.
    case dump
    /// All of them without their counters. Compared with a peer's dump.
    case snapshot
    /// The changes from the table dumped to one in which every tenth destination has another weight: no kernel.
    case diff
    /// All services; their destinations go with them.
    case delete

    /// What the peers do where ours does this.
    var theirs: Work { self == .snapshot ? .dump : self }
}

/// So many services with so many destinations each.
struct Size: Hashable, CustomStringConvertible {
    var services: Int
    /// For each service.
    var destinations: Int

    var description: String { "\(services)x\(destinations)" }

    /// How many kernel objects a work touches.
    func objects(of work: Work) -> Int {
        switch work {
        case .create, .dump, .snapshot, .diff: services + services * destinations
        case .update: services * destinations
        case .delete: services
        }
    }
}

/// What ours is compared with: another program that does the same.
enum Peer: String, CaseIterable {
    /// Netlink messages written by hand, one acknowledgement for 64.
    case rawBatch = "raw-batch"
    /// libnl with its defaults, an acknowledgement for each.
    case libnl
    /// `ipvsadm -R` and `ipvsadm -Sn`.
    case ipvsadm

    /// The executable beside the harness.
    var executable: String { rawValue + "-peer" }
}

/// Which sizes are measured against which peers, and how often.
struct Plan {
    var runs: [(size: Size, peers: [Peer])]
    /// Measured pairs, after one that is not. Even: ours comes first in one half of them, theirs in the other.
    var pairs = 10

    static let full = Plan(runs: [
        (Size(services: 100, destinations: 10), Peer.allCases),
        (Size(services: 1000, destinations: 10), Peer.allCases),
        (Size(services: 1000, destinations: 1), Peer.allCases),
        (Size(services: 5000, destinations: 2), Peer.allCases),
        // The size with which the time per object at 5000x2 is compared.
        (Size(services: 1000, destinations: 2), [.rawBatch]),
    ])

    /// For development: what most goals are about, without the slow one.
    static let quick = Plan(runs: [
        (Size(services: 1000, destinations: 10), [.rawBatch, .libnl])
    ])
}

/// What the project wants to reach, in QEMU.
struct Goal {
    var work: Work
    var size = Size(services: 1000, destinations: 10)
    var peer: Peer
    /// Of theirs to ours, at least.
    var ratio: Double

    static let all: [Goal] =
        [Work.create, .update, .delete].flatMap {
            [Goal(work: $0, peer: .rawBatch, ratio: 0.85), Goal(work: $0, peer: .libnl, ratio: 2.5)]
        } + [
            Goal(work: .dump, peer: .libnl, ratio: 0.95),
            Goal(work: .snapshot, peer: .libnl, ratio: 4),
        ]

    /// Time per object may grow by so much from 1000x2 to 5000x2.
    static let growth = 1.3
}
