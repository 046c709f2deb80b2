#include "aggregator/serve/store_service.h"
#include "tests/support/catch.h"

namespace vigil::aggregator {

TEST_CASE("Hosts of a plan are those of agents; what rules compute and others push is counted apart") {
  const auto host = [](const char* name, std::size_t series) {
    HostInfo info;
    info.name = name;
    info.series = series;
    return info;
  };
  std::vector<HostInfo> hosts{host("web-1", 400), host("web-2", 200), host("rules/vigil itself", 150),
                              host("rules/ALERTS", 5), host("remote_write/10.0.0.7", 40)};
  hosts.push_back(host("gone", 300));
  hosts.back().state = HostState::left;
  v1::StoreStatus status;
  put_senders(hosts, status);
  CHECK(status.hosts() == 2);
  CHECK(status.series() == 600);
  CHECK(status.other_series() == 195);
}

}  // namespace vigil::aggregator
