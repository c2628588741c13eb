import Hummingbird

/// A placeholder.
enum AgentServer {}
