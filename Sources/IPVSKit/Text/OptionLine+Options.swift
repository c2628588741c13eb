extension OptionLine {
    /// The property that an option sets. A line may set each property once: `-m` and `-g` set the same one.
    enum Subject: Hashable {
        case command, service, family
        case scheduler, persistence, netmask, engine, onePacket, schedulerFlags
        case server, forwarding, weight, upperThreshold, lowerThreshold
        case tunnelType, tunnelPort, noChecksum, checksum, remoteChecksum, tunnelFlags
    }

    enum Argument {
        case none, optional, required
    }

    /// An option of ipvsadm(8), or one of the options that this library adds.
    struct Option {
        var subject: Subject
        var argument = Argument.none
        /// The meaning of the option itself: a command, a protocol or a forwarding method.
        var meaning: Meaning?
    }

    enum Meaning {
        case addService, addServer
        case mark
        case address(TransportProtocol)
        case method(Destination.ForwardingMethod)
    }

    /// The option for a word with its dashes.
    static func option(_ word: String) -> Option? {
        if let known = options[word] { return known }
        // One rule covers ipvsadm's three protocols and all others: `--sctp-service`, `--47-service`.
        guard word.hasPrefix("--"), word.hasSuffix("-service"),
            let transport = TransportProtocol(String(word.dropFirst(2).dropLast("-service".count)))
        else { return nil }
        return Option(subject: .service, argument: .required, meaning: .address(transport))
    }

    private static let options: [String: Option] = {
        var options: [String: Option] = [:]
        func add(
            _ words: String..., subject: Subject, argument: Argument = .required, meaning: Meaning? = nil
        ) {
            for word in words { options[word] = Option(subject: subject, argument: argument, meaning: meaning) }
        }
        add("-A", "--add-service", subject: .command, argument: .none, meaning: .addService)
        add("-a", "--add-server", subject: .command, argument: .none, meaning: .addServer)
        add("-t", subject: .service, meaning: .address(.tcp))
        add("-u", subject: .service, meaning: .address(.udp))
        add("-f", "--fwmark-service", subject: .service, meaning: .mark)
        add("-6", "--ipv6", subject: .family, argument: .none)
        add("-s", "--scheduler", subject: .scheduler)
        add("-p", "--persistent", subject: .persistence, argument: .optional)
        add("-M", "--netmask", subject: .netmask)
        add("--pe", subject: .engine)
        add("-o", "--ops", subject: .onePacket, argument: .none)
        add("-b", "--sched-flags", subject: .schedulerFlags)
        add("-r", "--real-server", subject: .server)
        add("-m", "--masquerading", subject: .forwarding, argument: .none, meaning: .method(.masquerade))
        add("-i", "--ipip", subject: .forwarding, argument: .none, meaning: .method(.tunnel))
        add("-g", "--gatewaying", subject: .forwarding, argument: .none, meaning: .method(.directRoute))
        add("--forwarding", subject: .forwarding)
        add("-w", "--weight", subject: .weight)
        add("-x", "--u-threshold", subject: .upperThreshold)
        add("-y", "--l-threshold", subject: .lowerThreshold)
        add("--tun-type", subject: .tunnelType)
        add("--tun-port", subject: .tunnelPort)
        add("--tun-nocsum", subject: .noChecksum, argument: .none)
        add("--tun-csum", subject: .checksum, argument: .none)
        add("--tun-remcsum", subject: .remoteChecksum, argument: .none)
        add("--tun-flags", subject: .tunnelFlags)
        return options
    }()

    /// Commands of ipvsadm that do not describe a table.
    static let otherCommands: Set<String> = [
        "-E", "--edit-service", "-D", "--delete-service", "-C", "--clear", "-e", "--edit-server", "-d",
        "--delete-server", "-L", "-l", "--list", "-Z", "--zero", "-R", "--restore", "-S", "--save", "--set",
        "--start-daemon", "--stop-daemon",
    ]
}
