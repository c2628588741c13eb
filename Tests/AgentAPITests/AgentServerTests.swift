import Testing
@testable import AgentAPI
