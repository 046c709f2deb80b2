// What may be said to vigil-docker-reader, and what an engine may answer through it. The first byte chooses:
// 'q' a request, else the kind of an answer. A request that is let through is one of five spellings; what is
// left of an answer is left when it is reduced once more.
#include "agent/docker_reader/question.h"
#include "agent/docker_reader/reduced.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace vigil::agent::docker;

void require(bool holds) {
  if (!holds) std::abort();
}

void ask(std::string_view request) {
  const auto question = read_question(request);
  if (!question) {
    require(question.error().message.size() < 300);
    return;
  }
  const std::string& target = question->target;
  require(request.starts_with("GET " + target + " HTTP/1.1\r\n"));
  require(request.find("\r\n\r\n") + 4 == request.size());
  require(target.find_first_not_of("/_.?=&%-0123456789abcdefghijklmnopqrstuvwxyzABCDEF") ==
          std::string::npos);
  require(target.find("..") == std::string::npos && target.find("//") == std::string::npos);
  const auto again = question_of(target);
  require(again && again->target == target && again->kind == question->kind);
}

void answer(Kind kind, std::string_view text) {
  const auto once = reduced(kind, text);
  if (!once) return;
  for (const char* secret : {"\"Env\"", "\"Cmd\"", "\"Mounts\"", "\"Args\"", "\"Binds\""})
    require(once->find(std::string(secret) + ":") == std::string::npos);
  const auto twice = reduced(kind, *once);
  require(twice && (kind == Kind::ping || *twice == *once));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'q':
      ask(text);
      break;
    case 'v':
      answer(Kind::version, text);
      break;
    case 'l':
      answer(Kind::list, text);
      break;
    case 'i':
      answer(Kind::inspect, text);
      break;
    default:
      answer(Kind::events, text);
  }
  return 0;
}
