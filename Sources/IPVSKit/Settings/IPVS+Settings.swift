import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension IPVS {
    private static let settingsDirectory: FilePath = "/proc/sys/net/ipv4/vs"

    /// The value of a setting in the namespace; nil where its kernel has no such setting.
    ///
    /// Outside the first user namespace the kernel shows none of them: all are nil there.
    ///
    /// - Throws: ``IPVSError/Code/unavailable`` where the kernel has no IPVS, ``IPVSError/Code/communication`` where
    ///   the value is not of its type.
    public func setting<Value>(_ setting: Setting<Value>) async throws(IPVSError) -> Value? {
        let operation = "read \(setting)"
        let path = Self.settingsDirectory.appending(setting.name)
        let result = try await inNamespaceWithModule(operation) { () -> Result<String?, Errno> in
            let text = KernelFile.text(of: path)
            // Where the others are there, it is no use to load the module, which takes privileges.
            guard case .failure(.noSuchFileOrDirectory) = text, access(Self.settingsDirectory.string, F_OK) == 0 else {
                return text.map { $0 }
            }
            return .success(nil)
        }
        switch result {
        case .success(nil): return nil
        case .success(let text?):
            // A newline ends the value, and none begins it: an empty list of processors is a value.
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

    /// Gives a setting a value in the namespace.
    ///
    /// - Throws: ``IPVSError/Code/settingNotFound`` where the kernel has no such setting,
    ///   ``IPVSError/Code/invalid`` where it refuses the value, ``IPVSError/Code/notPermitted``,
    ///   ``IPVSError/Code/unavailable``.
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
                    hint: "it depends on the kernel's version and build; outside the first user namespace there is none"
                ))
        case .failure(let errno): throw fileError(errno, operation)
        }
    }

    /// All settings that the namespace's kernel has, by name, as it prints them: those that have no constant here,
    /// too. Empty outside the first user namespace.
    ///
    /// - Throws: ``IPVSError/Code/unavailable`` where the kernel has no IPVS.
    public func settings() async throws(IPVSError) -> [String: String] {
        let operation = "read the settings net.ipv4.vs"
        let result = try await inNamespaceWithModule(operation) {
            Result { () throws(Errno) in
                var settings: [String: String] = [:]
                for name in try Self.names(in: Self.settingsDirectory) {
                    // One that went, or that root alone may read, is left out.
                    guard case .success(let text) = KernelFile.text(of: Self.settingsDirectory.appending(name)) else {
                        continue
                    }
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

    private static func names(in directory: FilePath) throws(Errno) -> [String] {
        guard let stream = opendir(directory.string) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
