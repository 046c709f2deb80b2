#include "aggregator/api/answer.h"

#include <memory>
#include <utility>

namespace vigil::aggregator::api {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::size_t kPieceBytes = 64 << 10;

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

/// An answer on its way: one piece after the other.
class Delivery {
 public:
  Delivery(DataSteps steps, promql::Annotations annotations)
      : steps_(std::move(steps)), annotations_(std::move(annotations)) {
    json_.begin_object().member("status", "success").key("data");
  }

  std::string next() {
    while (!done_ && json_.size() < kPieceBytes) {
      if (steps_(json_) == Progress::more) continue;
      done_ = true;
      steps_ = nullptr;  // with all that it holds
      write_texts(json_, "warnings", annotations_.warnings);
      write_texts(json_, "infos", annotations_.infos);
      json_.end_object();
    }
    return json_.take();
  }
  bool is_done() const { return done_; }

 private:
  DataSteps steps_;
  promql::Annotations annotations_;
  JsonWriter json_;
  bool done_ = false;
};

}  // namespace

http::Response success(const std::function<void(JsonWriter& json)>& write,
                       const promql::Annotations& annotations) {
  return success_in_steps(
      [&write](JsonWriter& json) {
        write(json);
        return Progress::done;
      },
      annotations);
}

http::Response success_in_steps(DataSteps steps, promql::Annotations annotations) {
  const auto delivery = std::make_shared<Delivery>(std::move(steps), std::move(annotations));
  http::Response response{200, std::string(kJson), delivery->next(), {}};
  if (!delivery->is_done()) response.next = [delivery] { return delivery->next(); };
  return response;
}

http::Response bad_data(std::string_view message) {
  return http::error_response(400, "bad_data", message);
}

http::Response execution_error(const Error& error) {
  switch (error.code) {
    case Errc::timeout:
      return http::error_response(503, "timeout", error.message);
    case Errc::unavailable:
      return http::error_response(503, "unavailable", error.message);
    case Errc::not_found:
      return http::error_response(404, "not_found", error.message);
    case Errc::io:
    case Errc::corrupt:
    case Errc::internal:
      return http::error_response(500, "internal", error.message);
    default:
      return http::error_response(422, "execution", error.message);
  }
}

http::Response canceled() {
  return http::error_response(499, "canceled", "the client did not wait for the answer");
}

http::Response too_busy(std::string_view message) {
  return http::error_response(503, "unavailable", message);
}

}  // namespace vigil::aggregator::api
