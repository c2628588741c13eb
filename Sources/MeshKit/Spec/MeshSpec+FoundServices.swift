/// Which services found tasks are tasks of.
extension MeshSpec {
    /// A found task and its service.
    typealias PlacedTask = (task: FoundTask, service: String)

    /// The services of found tasks. A task that only has a name needs a service that the operator, or the label of
    /// another task, has made.
    func placed(_ found: [FoundTask], of origin: Origin, _ notes: inout [String]) -> [PlacedTask] {
        let others = Set(services.filter { $0.value.origin != origin }.keys)
        /// Whether a task serves, or its service has a health check, or gets one from its label, which finds that out.
        func isCertain(_ task: FoundTask, of service: String) -> Bool {
            guard task.needsCheck, services[service]?.healthCheck == nil else { return true }
            return !others.contains(service) && (task.options.healthCheck ?? nil) != nil
        }
        let made = found.filter(\.makesService).compactMap { task in
            task.services.first.flatMap { isCertain(task, of: $0) ? $0 : nil }
        }
        let present = others.union(made)
        let all = found.compactMap { task in task.services.first(where: present.contains).map { (task, $0) } }
            .filter { isCertain($0, of: $1) }
        return Self.withoutStrangers(all, &notes)
    }

    /// Several projects may have a service of one name. Of those whose tasks have come by that name alone, the first
    /// project by name has the service, a project that makes it before others. Tasks that a label has put there, or
    /// their own name, come before all of them.
    private static func withoutStrangers(_ placed: [PlacedTask], _ notes: inout [String]) -> [PlacedTask] {
        func isStranger(_ task: FoundTask, of service: String, to owners: Set<String>) -> Bool {
            task.isOf(projectService: service) && !owners.contains(task.project ?? "")
        }
        var result: [PlacedTask] = []
        let owners = Dictionary(grouping: placed, by: \.service).mapValues {
            Self.owners(of: $0.map(\.task), in: $0[0].service)
        }
        for (task, service) in placed {
            guard isStranger(task, of: service, to: owners[service]!) else {
                result.append((task, service))
                continue
            }
            notes.append(
                "container \(task.name) is no task of service \(service), which has containers of the project "
                    + "\(owners[service]!.sorted().joined(separator: ", ")): the label meshctl.service tells them apart"
            )
        }
        return result
    }

    /// The projects whose tasks may be in a service by the name that it has in them.
    private static func owners(of tasks: [FoundTask], in service: String) -> Set<String> {
        let certain = Set(tasks.filter { !$0.isOf(projectService: service) }.compactMap(\.project))
        guard certain.isEmpty else { return certain }
        let makers = tasks.filter(\.makesService).compactMap(\.project).min()
        return Set([makers ?? tasks.compactMap(\.project).min()].compactMap(\.self))
    }
}

extension FoundTask {
    /// Whether the task is one of a service because of the name that the service has in the task's project.
    fileprivate func isOf(projectService service: String) -> Bool { project != nil && projectService == service }
}
