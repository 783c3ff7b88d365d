// Fletcher-32 of a buffer (J. G. Fletcher, 1982), over 16-bit words in little-endian order, the same on every machine.
#include <node.h>
#include <node_buffer.h>

#include <cstdint>

namespace {

uint32_t Fletcher32(const uint8_t *data, size_t size) {
    uint32_t a = 0, b = 0;
    for (size_t i = 0; i < size; i += 2) {
        a = (a + data[i] + (i + 1 < size ? data[i + 1] << 8 : 0)) % 65535;
        b = (b + a) % 65535;
    }
    return b << 16 | a;
}

void Checksum(const v8::FunctionCallbackInfo<v8::Value> &args) {
    v8::Isolate *isolate = args.GetIsolate();
    if (args.Length() != 1 || !node::Buffer::HasInstance(args[0])) {
        isolate->ThrowException(v8::Exception::TypeError(v8::String::NewFromUtf8Literal(isolate, "want one Buffer")));
        return;
    }
    const auto *data = reinterpret_cast<const uint8_t *>(node::Buffer::Data(args[0]));
    args.GetReturnValue().Set(v8::Integer::NewFromUnsigned(isolate, Fletcher32(data, node::Buffer::Length(args[0]))));
}

void Init(v8::Local<v8::Object> exports, v8::Local<v8::Value>, void *) { NODE_SET_METHOD(exports, "checksum", Checksum); }

}  // namespace

NODE_MODULE_CONTEXT_AWARE(checksum, Init)
