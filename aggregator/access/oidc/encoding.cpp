#include "aggregator/access/oidc/encoding.h"

#include <boost/json/basic_parser_impl.hpp>
#include <set>
#include <vector>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::size_t kMostDepth = 16;

/// Listens to a parser for keys that come twice; Boost's own objects keep the last one silently.
class TwiceListener {
 public:
  using Code = boost::json::error_code;
  using View = boost::json::string_view;
  static constexpr std::size_t max_object_size = 10'000;
  static constexpr std::size_t max_array_size = 10'000;
  static constexpr std::size_t max_key_size = 1024;
  static constexpr std::size_t max_string_size = 1 << 20;

  bool on_object_begin(Code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Code&) {
    keys_.pop_back();
    return true;
  }
  bool on_key_part(View part, std::size_t, Code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(View part, std::size_t, Code& error) {
    key_.append(part.data(), part.size());
    const bool is_new = keys_.back().insert(std::move(key_)).second;
    key_.clear();
    if (!is_new) error = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
    return is_new;
  }
  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  bool on_string_part(View, std::size_t, Code&) { return true; }
  bool on_string(View, std::size_t, Code&) { return true; }
  bool on_number_part(View, Code&) { return true; }
  bool on_int64(std::int64_t, View, Code&) { return true; }
  bool on_uint64(std::uint64_t, View, Code&) { return true; }
  bool on_double(double, View, Code&) { return true; }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects around
  std::string key_;
};

}  // namespace

Result<boost::json::object> parse_strictly(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMostDepth;
  boost::json::error_code error;
  boost::json::basic_parser<TwiceListener> listener(options);
  const std::size_t read = listener.write_some(false, text.data(), text.size(), error);
  if (error == boost::system::errc::invalid_argument) return fail(Errc::parse, "JSON: a key comes twice");
  if (error || read != text.size()) return fail(Errc::parse, "not JSON");
  const boost::json::value value =
      boost::json::parse({text.data(), text.size()}, error, boost::json::storage_ptr(), options);
  if (error || !value.is_object()) return fail(Errc::parse, "JSON, but no object");
  return value.get_object();
}

std::string text_in(const boost::json::object& object, std::string_view key) {
  const auto* found = object.if_contains({key.data(), key.size()});
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

}  // namespace vigil::aggregator::access::oidc
