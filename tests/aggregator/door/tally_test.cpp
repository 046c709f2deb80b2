#include "aggregator/door/tally.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator;
using namespace vigil::aggregator::door;

TEST_CASE("a port counts its connections, who was refused, and who was ended") {
  self::Registry registry;
  Tally tally("http", registry);
  tally.connected(7);
  for (int i = 0; i < 3; ++i) tally.refused(Refusal::source, "192.0.2.1", i);
  tally.ended(Ending::slow, "192.0.2.1", 0);
  const std::string text = registry.exposition();
  for (const char* line : {"vigil_aggregator_connections{port=\"http\"} 7\n",
                           "vigil_aggregator_connections_refused_total{port=\"http\",reason=\"source\"} 3\n",
                           "vigil_aggregator_connections_refused_total{port=\"http\",reason=\"rate\"} 0\n",
                           "vigil_aggregator_connections_ended_total{port=\"http\",reason=\"slow\"} 1\n"}) {
    INFO(text);
    CHECK_THAT(text, Catch::Contains(line));
  }
}

TEST_CASE("both ports count in the same families") {
  self::Registry registry;
  Tally http("http", registry);
  Tally grpc("grpc", registry);
  grpc.refused(Refusal::full, "192.0.2.1", 0);
  CHECK_THAT(
      registry.exposition(),
      Catch::Contains("vigil_aggregator_connections_refused_total{port=\"grpc\",reason=\"full\"} 1\n"));
}
