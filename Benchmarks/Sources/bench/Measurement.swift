/// A pair of times, ours and theirs, measured one after the other.
struct Pair {
    /// Seconds.
    var ours: Double
    var theirs: Double
    var ratio: Double { theirs / ours }
}

/// Seconds by work; a work that the program cannot do is missing.
typealias Times = [Work: Double]

/// Lets a program do all works in a namespace of its own, and checks after each what the kernel has.
///
/// The namespace is fresh because the kernel remembers: it keeps removed destinations for two minutes and looks
/// through them whenever one is added.
func times(of process: PeerProcess, _ size: Size, namespace: String) throws -> Times {
    try run("ip", "netns", "add", namespace)
    do {
        // The kernel takes no destination where no interface was ever up.
        try run("ip", "-n", namespace, "link", "set", "lo", "up")
        let times = try works(process, size, namespace: namespace)
        try run("ip", "netns", "del", namespace)
        return times
    } catch {
        _ = try? run("ip", "netns", "del", namespace)
        throw error
    }
}

private func works(_ process: PeerProcess, _ size: Size, namespace: String) throws -> Times {
    var times: Times = [:]
    _ = try process.ask("open \(namespace) \(size.services) \(size.destinations)")
    for work in Work.allCases {
        guard let answer = try process.ask(work.rawValue) else { continue }
        guard let seconds = answer.first.flatMap(Double.init) else {
            throw BenchError("\(process.name) answered \(work) with \(answer)")
        }
        times[work] = seconds

        let all = size.services * size.destinations
        let counts = answer.dropFirst().compactMap { Int($0) }
        let wanted: [Int] =
            switch work {
            case .dump, .snapshot: [size.services, all]
            case .diff: [(all + 9) / 10]
            case .create, .update, .delete: []
            }
        guard counts == wanted else { throw BenchError("\(process.name): \(work) counts \(counts) and not \(wanted)") }
        switch work {
        case .create: try check(namespace, size, weight: 1, after: "\(process.name), \(work)")
        case .update: try check(namespace, size, weight: 2, after: "\(process.name), \(work)")
        case .delete: try check(namespace, nil, weight: 0, after: "\(process.name), \(work)")
        case .dump, .snapshot, .diff: break
        }
    }
    _ = try process.ask("close")
    return times
}

/// Compares the kernel's own table, as /proc shows it, with what should be there.
private func check(_ namespace: String, _ size: Size?, weight: Int, after step: String) throws {
    let table = try run("nsenter", "--net=/run/netns/\(namespace)", "cat", "/proc/net/ip_vs")
    var services = 0
    var destinations = 0
    // TCP  0A400001:0050 rr
    //   -> 0A800001:1F90      Masq    1      0          0
    for line in table.utf8.split(separator: UInt8(ascii: "\n")).dropFirst(3) {
        let words = line.split(separator: UInt8(ascii: " "))
        if words.first?.elementsEqual("TCP".utf8) == true {
            services += 1
        } else if words.count > 3, words[3].elementsEqual("\(weight)".utf8) {
            destinations += 1
        }
    }
    let wanted = (size?.services ?? 0, size.map { $0.services * $0.destinations } ?? 0)
    guard (services, destinations) == wanted else {
        throw BenchError(
            "after \(step): the kernel has \(services) services and \(destinations) destinations of weight \(weight), "
                + "and not \(wanted.0) and \(wanted.1)")
    }
}
