/// What a setting can hold: a value, and the text by which the kernel knows it.
public protocol SettingValue: Hashable, Sendable {
    /// From what the kernel prints, without the newline; nil where that is no such value.
    init?(settingText: String)
    /// As the kernel takes it.
    var settingText: String { get }
}

extension Bool: SettingValue {
    /// 0 is false and any other number true.
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
