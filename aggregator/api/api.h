// Prometheus's HTTP API over vigil, /api/v1, /federate and /-/, and Alertmanager's, /api/v2. docs/http-api.md
// says what each route takes.
//
// Threads: handlers are called on HTTP's and only hand over; see desk.h for where the work is done.
#pragma once

#include "aggregator/api/catalogue.h"
#include "aggregator/api/desk.h"
#include "aggregator/api/questions.h"
#include "aggregator/api/sources.h"
#include "aggregator/http/router.h"

namespace vigil::aggregator::api {

class Api {
 public:
  explicit Api(ApiSources sources);

  /// The router's handlers use this object.
  void add_routes(http::Router& router);
  /// After the HTTP server has stopped, before what the sources name does.
  void stop() { desk_.stop(); }

 private:
  void add_questions(http::Router& router);
  void add_catalogue(http::Router& router);
  void add_state(http::Router& router);
  void add_alertmanager(http::Router& router);
  void add_management(http::Router& router);
  void reload(const http::Request& request, const http::Responder& responder) const;
  void add(http::Router& router, const std::string& path, Desk::Kind kind, const Work& work);
  void add_form(http::Router& router, const std::string& path, Desk::Kind kind, const Work& work);

  const ApiSources sources_;
  Questions questions_;
  Catalogue catalogue_;
  Desk desk_;  // last: its threads end before what they use goes
};

}  // namespace vigil::aggregator::api
