#include "aggregator/http/coding.h"

#include "tests/support/catch.h"

#include <zlib.h>
#include <zstd.h>

using namespace vigil::aggregator::http;

namespace {

std::string gunzipped(const std::string& bytes) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(1 << 22, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::string unzstd(const std::string& bytes) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::string out(1 << 22, '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  CHECK(ZSTD_decompressStream(context, &to, &in) == 0);
  ZSTD_freeDCtx(context);
  out.resize(to.pos);
  return out;
}

std::string header(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

/// A text that does not shrink to nothing.
std::string lines(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += std::to_string(i * 7919 % 10'007) + ",";
  return text;
}

}  // namespace

TEST_CASE("the client's favourite coding is used, zstd among equals") {
  const auto best = [](const char* accepted) { return best_coding(accepted); };
  CHECK(best("") == Coding::identity);
  CHECK(best("gzip") == Coding::gzip);
  CHECK(best("gzip, deflate, br, zstd") == Coding::zstd);
  CHECK(best("zstd;q=0.5, gzip;q=0.9") == Coding::gzip);
  CHECK(best("gzip;q=0") == Coding::identity);
  CHECK(best("*") == Coding::zstd);
  CHECK(best("*;q=0, gzip") == Coding::gzip);
  CHECK(best("zstd ; q=0 , *") == Coding::gzip);
  CHECK(best("deflate, br") == Coding::identity);
  CHECK(best(",,;q=,gzip;q=x") == Coding::identity);
}

TEST_CASE("text that is worth it is compressed, with and without pieces") {
  const auto coding = GENERATE(Coding::gzip, Coding::zstd);
  const auto plain = [coding](const std::string& bytes) {
    return coding == Coding::gzip ? gunzipped(bytes) : unzstd(bytes);
  };
  const Response once = encoded({200, "application/json", lines(0, 5000), {}}, coding);
  CHECK(header(once, "Content-Encoding") == to_string(coding));
  CHECK(header(once, "Vary") == "Accept-Encoding");
  CHECK(once.body.size() < lines(0, 5000).size());
  CHECK(plain(once.body) == lines(0, 5000));

  Response pieces{200, "application/json", lines(0, 10), {}};
  pieces.next = [i = 0]() mutable -> std::string {
    return i == 50 ? "" : (++i, lines(i * 1000, i * 1000 + 1000));
  };
  Response sent = encoded(std::move(pieces), coding);
  std::string bytes = sent.body;
  for (std::string piece = sent.next(); !piece.empty(); piece = sent.next()) bytes += piece;
  std::string expected = lines(0, 10);
  for (int i = 1; i <= 50; ++i) expected += lines(i * 1000, i * 1000 + 1000);
  CHECK(plain(bytes) == expected);
}

TEST_CASE("what is small, no text, or not asked for stays as it is") {
  CHECK(encoded({200, "application/json", "{}", {}}, Coding::gzip).body == "{}");
  CHECK(header(encoded({200, "image/png", lines(0, 5000), {}}, Coding::gzip), "Content-Encoding").empty());
  const Response plain = encoded({200, "text/plain", lines(0, 5000), {}}, Coding::identity);
  CHECK(plain.body == lines(0, 5000));
  CHECK(header(plain, "Vary") == "Accept-Encoding");
}
