import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension IPVS {
    private static let settingsDirectory: FilePath = "/proc/sys/net/ipv4/vs"

    /// The value of a setting in the namespace; nil if the kernel has no such setting.
    ///
    /// Outside the initial user namespace the kernel shows no settings, and all are nil.
    ///
    /// - Throws: ``IPVSError/Code/unavailable`` if the kernel has no IPVS, ``IPVSError/Code/communication`` if the
    ///   value is not of the setting's type.
    public func setting<Value>(_ setting: Setting<Value>) async throws(IPVSError) -> Value? {
        let operation = "read \(setting)"
        let path = Self.settingsDirectory.appending(setting.name)
        let result = try await inNamespaceWithModule(operation) { () -> Result<String?, Errno> in
            let text = Result { () throws(Errno) in try ProcFile.text(path) }
            // If other settings exist, the module is loaded, and loading it again, which takes privileges, would not
            // help.
            guard case .failure(.noSuchFileOrDirectory) = text, access(Self.settingsDirectory.string, F_OK) == 0 else {
                return text.map { $0 }
            }
            return .success(nil)
        }
        switch result {
        case .success(nil): return nil
        case .success(let text?):
            // The value ends at the first newline. It may be empty: an empty list of processors is a value.
            let line = String(text.prefix { $0 != "\n" })
            guard let value = Value(settingText: line) else {
                throw report(
                    IPVSError(
                        .communication, operation: operation, hint: "\(line.debugDescription) is not \(Value.self)"))
            }
            return value
        case .failure(.noSuchFileOrDirectory): return nil
        case .failure(let errno): throw fileError(errno, operation)
        }
    }

    /// Sets a setting in the namespace.
    ///
    /// - Throws: ``IPVSError/Code/settingNotFound`` if the kernel has no such setting, ``IPVSError/Code/invalid`` if it
    ///   refuses the value, ``IPVSError/Code/notPermitted``, ``IPVSError/Code/unavailable``.
    public func set<Value>(_ setting: Setting<Value>, to value: Value) async throws(IPVSError) {
        let text = value.settingText
        let operation = "set \(setting) to \(text.isEmpty ? "nothing" : text)"
        let path = Self.settingsDirectory.appending(setting.name)
        let result = try await inNamespaceWithModule(operation) {
            Result { () throws(Errno) in try KernelFile(path, .writeOnly).write(text + "\n") }
        }
        switch result {
        case .success: return
        case .failure(.noSuchFileOrDirectory):
            throw report(
                IPVSError(
                    .settingNotFound, errno: .noSuchFileOrDirectory, operation: operation,
                    hint: "settings depend on the kernel's version and build; "
                        + "outside the initial user namespace there are none"
                ))
        case .failure(let errno): throw fileError(errno, operation)
        }
    }

    /// All settings of the namespace by name, with the values that the kernel prints, including settings without a
    /// constant here. Empty outside the initial user namespace.
    ///
    /// - Throws: ``IPVSError/Code/unavailable`` where the kernel has no IPVS.
    public func settings() async throws(IPVSError) -> [String: String] {
        let operation = "read the settings net.ipv4.vs"
        let result = try await inNamespaceWithModule(operation) {
            Result { () throws(Errno) in
                var settings: [String: String] = [:]
                for name in try ProcFile.names(in: Self.settingsDirectory) {
                    // A setting that has disappeared, or that only root may read, is left out.
                    guard let text = try? ProcFile.text(Self.settingsDirectory.appending(name)) else { continue }
                    settings[name] = String(text.prefix { $0 != "\n" })
                }
                return settings
            }
        }
        switch result {
        case .success(let settings): return settings
        case .failure(.noSuchFileOrDirectory): return [:]
        case .failure(let errno): throw fileError(errno, operation)
        }
    }
}
