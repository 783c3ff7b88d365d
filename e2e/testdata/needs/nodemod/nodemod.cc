#include <greet.h>
#include <installed.hpp>
#include <node_api.h>

static napi_value Text(napi_env env, napi_callback_info) {
  std::string text = std::string(greet()) + " " + installed();
  napi_value out;
  napi_create_string_utf8(env, text.c_str(), text.size(), &out);
  return out;
}

NAPI_MODULE_INIT() {
  napi_value f;
  napi_create_function(env, "text", NAPI_AUTO_LENGTH, Text, nullptr, &f);
  napi_set_named_property(env, exports, "text", f);
  return exports;
}
