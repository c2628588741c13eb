/// A value that a setting can have, with its text in the kernel's file.
public protocol SettingValue: Hashable, Sendable {
    /// Reads the text that the kernel prints, without the newline; nil if it is not such a value.
    init?(settingText: String)
    /// The text that the kernel takes.
    var settingText: String { get }
}

extension Bool: SettingValue {
    /// 0 is false, and any other number is true.
    public init?(settingText: String) {
        guard let number = Int64(settingText) else { return nil }
        self = number != 0
    }
    /// 0 or 1.
    public var settingText: String { self ? "1" : "0" }
}

extension SettingValue where Self: FixedWidthInteger {
    /// From decimal digits.
    public init?(settingText: String) { self.init(settingText) }
    /// Decimal.
    public var settingText: String { String(self) }
}

extension Int32: SettingValue {}
extension UInt64: SettingValue {}

extension SettingValue where Self: RawRepresentable, RawValue: SettingValue {
    /// From the text of the raw value.
    public init?(settingText: String) {
        guard let rawValue = RawValue(settingText: settingText) else { return nil }
        self.init(rawValue: rawValue)
    }
    /// The text of the raw value.
    public var settingText: String { rawValue.settingText }
}
