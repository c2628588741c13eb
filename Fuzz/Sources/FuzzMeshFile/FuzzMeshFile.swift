import CLibFuzzer
@_spi(Testing) import MeshKit

/// libFuzzer's entry: one input is the body of a request to change the mesh, or a file for `meshctl apply`.
@c(LLVMFuzzerTestOneInput)
public func fuzzMeshFile(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let text = String(validating: input, as: UTF8.self) else { return 0 }
    if MeshFile.take(text) { taken &+= 1 }
    return 0
}

/// Written and never read.
nonisolated(unsafe) public var taken = 0
