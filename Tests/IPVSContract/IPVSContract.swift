package import IPVSKit
import Testing

/// The promises of IPVS to a program. `IPVSKitTestingTests` checks them on the fake and `KernelTests` on the real
/// kernel, so that the two stay alike.
///
/// A clause starts with an empty table, and may leave entries in it.
package enum IPVSContract {
    /// One promise, with its name.
    package struct Clause: Sendable, CustomTestStringConvertible {
        package let name: String
        /// Whether ``Subject/interface`` must be there.
        package var takesInterface = false
        package let body: @Sendable (Subject) async throws -> Void

        package var testDescription: String { name }

        package init(_ name: String, _ body: @escaping @Sendable (IPVS) async throws -> Void) {
            self.name = name
            self.body = { try await body($0.ipvs) }
        }

        init(_ name: String, onInterface body: @escaping @Sendable (Subject) async throws -> Void) {
            self.name = name
            self.body = body
            takesInterface = true
        }

        init(_ name: String, soaking body: @escaping @Sendable (Subject) async throws -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// The kernel on which the clauses run.
    package struct Subject: Sendable {
        package let ipvs: IPVS
        /// A network interface that is up and has addresses.
        package let interface: String
        /// How long the clauses run that run for a fixed time.
        package let soak: Duration

        package init(_ ipvs: IPVS, interface: String = "", soak: Duration) {
            self.ipvs = ipvs
            self.interface = interface
            self.soak = soak
        }
    }

    /// The whole contract.
    package static let all: [Clause] = [
        Clause("what is written is read back equal", whatIsWrittenIsReadBackEqual),
        Clause("what is written is written once", whatIsWrittenIsWrittenOnce),
        Clause("differences are written and nothing else", differencesAreWrittenAndNothingElse),
        Clause("errors", errors),
        Clause("errors of updates", errorsOfUpdates),
        Clause("refusals are explained", onInterface: refusalsAreExplained),
        Clause(
            "what the kernel would not do is refused before it is sent", whatTheKernelWouldNotDoIsRefusedBeforeItIsSent),
        Clause("what the kernel does is sent", whatTheKernelDoesIsSent),
        Clause("what is unfit already can be changed in part", whatIsUnfitAlreadyCanBeChangedInPart),
        Clause("a missing scheduler is told from a missing engine", aMissingSchedulerIsToldFromAMissingEngine),
        Clause(
            "a sync daemon is stopped as soon as it is started", onInterface: aSyncDaemonIsStoppedAsSoonAsItIsStarted),
        Clause("a sync daemon runs as it is read back", onInterface: aSyncDaemonRunsAsItIsReadBack),
        Clause("create or update", createOrUpdate),
        Clause("what has no connections is drained at once", whatHasNoConnectionsIsDrainedAtOnce),
        Clause("destinations that no packet can reach", destinationsThatNoPacketCanReach),
        Clause("tunnels and families", tunnelsAndFamilies),
        Clause("a service that is absent has no destinations", aServiceThatIsAbsentHasNoDestinations),
        Clause("destinations are listed newest first", destinationsAreListedNewestFirst),
        Clause("a failure stops nothing behind it", aFailureStopsNothingBehindIt),
        Clause("families and protocols make services of their own", familiesAndProtocolsMakeServicesOfTheirOwn),
        Clause("ten thousand destinations in one pipeline", tenThousandDestinationsInOnePipeline),
        Clause("a hundred tasks hammer one client", soaking: aHundredTasksHammerOneClient),
        Clause("flush deletes every service", flushDeletesEveryService),
        Clause("timeouts are set one by one", timeoutsAreSetOneByOne),
        Clause("info", info),
        Clause("zero", zero),
        Clause("sync daemons are started, read back and stopped", onInterface: syncDaemonsAreStartedReadBackAndStopped),
        Clause("sync daemons know of no mixed service", onInterface: syncDaemonsKnowOfNoMixedService),
        Clause("a partial change keeps what it does not name", aPartialChangeKeepsWhatItDoesNotName),
        Clause("flags that are not named stay", flagsThatAreNotNamedStay),
        Clause("tasks change flags of one service, each its own", tasksChangeFlagsOfOneServiceEachItsOwn),
        Clause("the table is what netlink lists, whichever way it is read", theTableIsWhatNetlinkLists),
        Clause("a table that changes is read whole or not at all", aTableThatChangesIsReadWholeOrNotAtAll),
        Clause("requests that say too little", requestsThatSayTooLittle),
        Clause("requests in unusual words", requestsInUnusualWords),
        Clause("commands that there are not", commandsThatThereAreNot),
    ]
}
