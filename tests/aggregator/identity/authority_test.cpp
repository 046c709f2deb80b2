#include "aggregator/identity/authority.h"

#include "aggregator/identity/authority_copy.h"
#include "aggregator/identity/name_pattern.h"
#include "common/config/files.h"
#include "tests/aggregator/identity/authority_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace vigil::aggregator::identity {
namespace {

using namespace testing;
using std::chrono::milliseconds;

bool says(const Error& error, std::string_view part) {
  return error.message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a token becomes a certificate for the host it was made for, whatever the request says") {
  OwnAuthority authority;
  const Asking asking;
  const auto enrolled = authority->enroll({authority.token("web-1"), asking.request});
  REQUIRE(enrolled);
  const Issued* const issued = &enrolled->issued;
  CHECK(issued->name == "web-1");
  CHECK(issued->not_after_ms == kStart + 90 * kDay);
  CHECK(tls::check_pair(issued->certificate, asking.key));
  const auto bearer = authority->admit(issued->certificate);
  REQUIRE(bearer);
  CHECK(bearer->kind == Kind::host);
  CHECK(bearer->name == "web-1");
  const auto speaker = authority->may_speak(issued->certificate, "web-1");
  REQUIRE(speaker);
  CHECK(speaker->not_after_ms == issued->not_after_ms);
}

TEST_CASE("a host's certificate speaks for no other host, and a person's for none") {
  OwnAuthority authority;
  const std::string web = authority.enrolled("web-1").certificate;
  const auto other = authority->may_speak(web, "web-2");
  REQUIRE_FALSE(other);
  CHECK(says(other.error(), "of the host web-1, not of the host web-2"));
  const auto person = authority->issue_person("web-2", Asking().request, {});
  REQUIRE(person);
  CHECK_FALSE(authority->may_speak(person->certificate, "web-2"));
  CHECK_FALSE(authority->may_speak("", "web-1"));
}

TEST_CASE("who enrolls says by whose invitation, and what it takes the place of") {
  OwnAuthority authority;
  const Issued before = authority.enrolled("web-1");
  const auto invited = authority->invite("web-1", {}, Replace::allowed, "certificate ada");
  REQUIRE(invited);
  CHECK(invited->id.size() == 8);
  CHECK(invited->token.find(invited->id) == std::string::npos);
  const auto enrolled = authority->enroll({invited->token, Asking().request});
  REQUIRE(enrolled);
  CHECK(enrolled->invitation == invited->id);
  CHECK(enrolled->invited_by == "certificate ada");
  CHECK(enrolled->replaced == std::vector<std::string>{before.serial});
  CHECK(enrolled->issued.serial == tls::read_certificate(enrolled->issued.certificate)->serial);
}

TEST_CASE("an answer that was lost is given again for the same token and key, for a day, and counted once") {
  OwnAuthority authority;
  const Asking asking;
  const std::string token = authority.token("web-1");
  const auto first = authority->enroll({token, asking.request});
  REQUIRE(first);
  CHECK_FALSE(first->again);
  authority.open();  // the aggregator was killed, and is there again
  const auto anew = authority->enroll({token, tls::make_request(asking.key, "another").value()});
  REQUIRE(anew);
  CHECK(anew->again);
  CHECK(anew->issued.certificate == first->issued.certificate);
  CHECK(anew->issued.name == "web-1");
  CHECK(authority->certificates().size() == 1);
  CHECK(authority.revoked.empty());
  const auto thief = authority->enroll({token, Asking().request});  // has the token, not the key
  REQUIRE_FALSE(thief);
  CHECK(thief.error().code == Errc::permission);
  CHECK(says(thief.error(), "vigil agent invite --name web-1 --replace"));
  CHECK_FALSE(authority->enroll({authority.token("web-2"), asking.request})->again);  // another token
  authority.now_ms = kStart + kAnswerAgainMs;
  CHECK_FALSE(authority->enroll({token, asking.request}));
}

TEST_CASE("an answer is not given again once its certificate was revoked") {
  OwnAuthority authority;
  const Asking asking;
  const std::string token = authority.token("web-1");
  REQUIRE(authority->enroll({token, asking.request}));
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  CHECK(authority->enroll({token, asking.request}).error().code == Errc::permission);
}

TEST_CASE("an invitation for many gives each host its own answer again, and spends one use on it") {
  OwnAuthority authority;
  const std::string token = authority->invite_many({"node-*", 2}, {})->token;
  const Asking one;
  const Asking two;
  const auto first = authority->enroll({token, one.request, "node-1"});
  REQUIRE(first);
  CHECK(authority->enroll({token, one.request, "node-1"})->issued.serial == first->issued.serial);
  CHECK_FALSE(authority->enroll({token, one.request, "node-2"})->again);  // another host: the last use
  CHECK(authority->enroll({token, two.request, "node-3"}).error().code == Errc::permission);
  CHECK(authority->enroll({token, one.request, "node-2"})->again);
}

TEST_CASE("a certificate that another program made beside it is listed, good, and revoked for good") {
  OwnAuthority authority;
  const auto beside = Authority::open({authority.folder, authority.lives, [&] { return authority.now_ms; }});
  REQUIRE(beside);
  const auto listed = (*beside)->issue_person("eve", Asking().request, {});
  const auto shown = (*beside)->issue_person("eve", Asking().request, {});
  REQUIRE(listed);
  REQUIRE(shown);
  CHECK(authority->admit(shown->certificate));
  CHECK(authority->admit(shown->certificate));
  CHECK(authority->certificates().size() == 2);
  const auto revoked = authority->revoke(Kind::person, "eve");
  REQUIRE(revoked);
  CHECK(revoked->serials.size() == 2);
  authority.open();
  CHECK_FALSE(authority->admit(listed->certificate));
  CHECK_FALSE(authority->admit(shown->certificate));

  const auto later = (*beside)->issue_person("eve", Asking().request, {});
  REQUIRE(later);
  CHECK(authority->revoke_serial(later->serial));
  CHECK_FALSE(authority->admit(later->certificate));
}

TEST_CASE("a token is good once, and for its time") {
  OwnAuthority authority;
  const std::string token = authority.token("web-1");
  authority.now_ms += kUsualInvitation.count() - 1;
  REQUIRE(authority->enroll({token, Asking().request}));
  const auto again = authority->enroll({token, Asking().request});
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::permission);
  CHECK(says(again.error(), "used already"));

  const std::string late = authority.token("web-2");
  authority.now_ms += kUsualInvitation.count();
  const auto expired = authority->enroll({late, Asking().request});
  REQUIRE_FALSE(expired);
  CHECK(says(expired.error(), "expired at"));
  CHECK(says(authority->enroll({"0123", Asking().request}).error(), "not known here"));
}

TEST_CASE("a used token stays used when the aggregator starts anew, and an open one stays open") {
  OwnAuthority authority;
  const std::string used = authority.token("web-1");
  const std::string open = authority.token("web-2");
  REQUIRE(authority->enroll({used, Asking().request}));
  authority.open();
  CHECK_FALSE(authority->enroll({used, Asking().request}));
  CHECK(authority->enroll({open, Asking().request}));
}

TEST_CASE("a request that cannot be used does not use the token up") {
  OwnAuthority authority;
  const std::string token = authority.token("web-1");
  CHECK(authority->enroll({token, "nonsense"}).error().code == Errc::parse);
  CHECK(authority->enroll({token, Asking().request}));
}

TEST_CASE("a name with a good certificate is given again only when that is meant") {
  OwnAuthority authority;
  const Issued first = authority.enrolled("web-1");
  const auto refused = authority->invite("web-1", {}, Replace::refused);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(says(refused.error(), "--replace"));
  const std::string token = authority.token("web-1", Replace::allowed);
  REQUIRE(authority->admit(first.certificate));  // an invitation alone changes nothing
  const auto second = authority->enroll({token, Asking().request});
  REQUIRE(second);
  CHECK_FALSE(authority->admit(first.certificate));
  CHECK(authority->admit(second->issued.certificate));
  CHECK(authority.revoked.size() == 1);

  // Two invitations for one new name: the second one to be used comes too late.
  const std::string one = authority.token("web-2");
  const std::string other = authority.token("web-2");
  REQUIRE(authority->enroll({one, Asking().request}));
  CHECK(authority->enroll({other, Asking().request}).error().code == Errc::conflict);
}

TEST_CASE("a name is free again once its certificate expired") {
  OwnAuthority authority;
  authority.enrolled("web-1");
  authority.now_ms += 90 * kDay;
  CHECK(authority->invite("web-1", {}, Replace::refused));
}

TEST_CASE("revoked certificates count no more, also after a new start, and open invitations with them") {
  OwnAuthority authority;
  const Issued issued = authority.enrolled("web-1");
  const std::string token = authority.token("web-1", Replace::allowed);
  const auto revoked = authority->revoke(Kind::host, "web-1");
  REQUIRE(revoked);
  CHECK(revoked->serials.size() == 1);
  CHECK(revoked->invites == 1);
  CHECK(authority.revoked == revoked->serials);
  for (int run = 0; run < 2; ++run) {
    CHECK(says(authority->admit(issued.certificate).error(), "was revoked at"));
    CHECK_FALSE(authority->renew(issued.certificate, Asking().request));
    CHECK_FALSE(authority->enroll({token, Asking().request}));
    authority.open();
  }
  CHECK(authority->revoke(Kind::host, "web-1").error().code == Errc::not_found);
}

TEST_CASE("one certificate of several is revoked by its serial number") {
  OwnAuthority authority;
  const Issued one = authority->issue_person("ada", Asking().request, {}).value();
  const Issued other = authority->issue_person("ada", Asking().request, milliseconds(kDay)).value();
  CHECK(other.not_after_ms == kStart + kDay);
  REQUIRE(authority->revoke_serial(tls::read_certificate(one.certificate)->serial));
  CHECK_FALSE(authority->admit(one.certificate));
  CHECK(authority->admit(other.certificate));
  CHECK(authority->revoke_serial("00").error().code == Errc::not_found);
}

TEST_CASE(
    "certificates of a database that was lost count, but for names revoked later than they were issued") {
  OwnAuthority authority;
  const Issued web = authority.enrolled("web-1");
  const Issued stolen = authority.enrolled("web-2");
  authority.authority.reset();
  std::filesystem::remove(database_path(authority.folder));
  CHECK_FALSE(Authority::open({authority.folder, {}, [&] { return authority.now_ms; }}));
  std::ofstream(database_path(authority.folder)).flush();  // to begin without it
  authority.open();
  REQUIRE(authority->admit(web.certificate));
  CHECK(authority->certificates().size() == 1);  // noted
  authority.now_ms += kDay;
  authority.enrolled("web-2");
  REQUIRE(authority->revoke(Kind::host, "web-2"));
  CHECK_FALSE(authority->admit(stolen.certificate));
}

TEST_CASE("a host that was invited again within minutes after it was revoked is let in after a restore") {
  OwnAuthority authority;
  const Issued first = authority.enrolled("web-1");
  authority.now_ms += kMinute;
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  const std::string target = authority.dir.file("copy");
  REQUIRE(copy_authority(authority.folder, target));
  authority.now_ms += kMinute;
  const Issued again = authority.enrolled("web-1");
  const auto copy = Authority::open({target, {}, [&] { return authority.now_ms; }});
  REQUIRE(copy);
  CHECK((*copy)->admit(again.certificate));
  CHECK_FALSE((*copy)->admit(first.certificate));
}

TEST_CASE("a clock that was years ahead lets nobody in who was revoked") {
  OwnAuthority authority;
  const Issued stolen = authority.enrolled("web-1");
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  authority.now_ms = kStart + 2000 * kDay;
  REQUIRE(authority->tend());
  authority.now_ms = kStart + kDay;
  CHECK_FALSE(authority->admit(stolen.certificate));
  authority.open();
  CHECK_FALSE(authority->admit(stolen.certificate));
  REQUIRE(authority->tend());  // its own certificates are those of now
  CHECK(authority->own().not_before_ms <= authority.now_ms);
}

TEST_CASE(
    "an authority whose clock was ahead does not wait for who is invited to put its certificate right") {
  OwnAuthority authority;
  authority.now_ms = kStart + 3000 * kDay;
  REQUIRE(authority->tend());
  REQUIRE(authority->own().not_before_ms > kStart + kDay);
  authority.now_ms = kStart + kDay;
  authority.token("web-1");
  REQUIRE(authority->tend());
  CHECK(authority->own().not_before_ms <= authority.now_ms);
  CHECK(authority->admit(authority.enrolled("web-2").certificate));
}

TEST_CASE("a certificate counts from its first moment to its last, by the aggregator's clock") {
  OwnAuthority authority;
  const Issued issued = authority.enrolled("web-1");
  const std::int64_t from = tls::read_certificate(issued.certificate)->not_before_ms;
  CHECK(from == kStart - 5 * kMinute);
  for (const auto& [at_ms, counts] :
       {std::pair{from - 1, false}, std::pair{from, true}, std::pair{issued.not_after_ms - 1, true},
        std::pair{issued.not_after_ms, false}}) {
    authority.now_ms = at_ms;
    CHECK(authority->admit(issued.certificate).has_value() == counts);
    CHECK(authority->may_speak(issued.certificate, "web-1").has_value() == counts);
  }
}

TEST_CASE("renewals go on for years, and each certificate ends at its time") {
  OwnAuthority authority;
  Issued present = authority.enrolled("web-1");
  std::vector<Issued> earlier;
  for (int times = 0; times < 50; ++times) {
    authority.now_ms += 60 * kDay;
    REQUIRE(authority->tend());
    if (authority.now_ms > kStart + 3600 * kDay) break;  // the authority itself ends
    const auto next = authority->renew(present.certificate, Asking().request);
    REQUIRE(next);
    CHECK(next->name == "web-1");
    CHECK(next->not_after_ms > present.not_after_ms);
    CHECK(authority->admit(present.certificate));  // the host may not have got the answer
    earlier.push_back(std::exchange(present, *next));
    if (earlier.size() > 1) CHECK_FALSE(authority->admit(earlier[earlier.size() - 2].certificate));
  }
  CHECK(earlier.size() > 40);
  authority.now_ms = present.not_after_ms;
  CHECK_FALSE(authority->renew(present.certificate, Asking().request));
}

TEST_CASE("a host has ten certificates at most, and those that it never showed make room for the next") {
  OwnAuthority authority;
  const Issued issued = authority.enrolled("web-1");
  const auto renew = [&] { return authority->renew(issued.certificate, Asking().request); };
  std::vector<Issued> answers;
  for (int i = 0; i < 9; ++i) {
    authority.now_ms += kMinute;
    answers.push_back(renew().value());
  }
  REQUIRE(authority->admit(answers[0].certificate));  // another machine has a copy of its disk
  for (int i = 0; i < 30; ++i) {
    authority.now_ms += kMinute;
    answers.push_back(renew().value());
  }
  const auto good = std::ranges::count_if(authority->certificates(),
                                          [](const CertificateRow& row) { return row.revoked_ms == 0; });
  CHECK(good == 10);
  CHECK(authority.revoked.size() == 30);
  CHECK(authority->admit(issued.certificate));
  CHECK(authority->admit(answers[0].certificate));
  CHECK_FALSE(authority->admit(answers[1].certificate));
  for (std::size_t i = 31; i < answers.size(); ++i) CHECK(authority->admit(answers[i].certificate));
  CHECK(renew().error().code == Errc::limit);  // all are in use
}

TEST_CASE("people do not renew by themselves, and nobody renews for another authority") {
  OwnAuthority authority;
  OwnAuthority strangers;
  const Issued person = authority->issue_person("ada", Asking().request, {}).value();
  CHECK_FALSE(authority->renew(person.certificate, Asking().request));
  CHECK_FALSE(authority->renew(strangers.enrolled("web-1").certificate, Asking().request));
  CHECK_FALSE(authority->renew("", Asking().request));
}

TEST_CASE("no certificate outlives the authority") {
  OwnAuthority authority;
  const std::int64_t end = authority->own().not_after_ms;
  authority.now_ms = end - 10 * kDay;
  CHECK(authority.enrolled("web-1").not_after_ms == end);
  authority.now_ms = end;
  CHECK_FALSE(authority->enroll({authority.token("web-2"), Asking().request}));
}

TEST_CASE("the authority's own certificate is renewed with its key, and waits a while for who is invited") {
  OwnAuthority authority;
  const tls::CertificateInfo first = authority->own();
  const std::int64_t due = first.not_after_ms - (first.not_after_ms - first.not_before_ms) / 3 + 2 * kMinute;
  authority.now_ms = due - kDay;
  REQUIRE(authority->tend());
  CHECK(authority->own().fingerprint == first.fingerprint);
  const Issued before = authority.enrolled("web-1");

  authority.now_ms = due;
  const std::string token = authority.token("web-2");  // its command names the first fingerprint
  REQUIRE(authority->tend());
  CHECK(authority->own().fingerprint == first.fingerprint);
  REQUIRE(authority->enroll({token, Asking().request}));
  authority.now_ms += kDay;
  REQUIRE(authority->tend());
  const tls::CertificateInfo second = authority->own();
  CHECK(second.fingerprint != first.fingerprint);
  CHECK(second.common_name == first.common_name);
  CHECK(second.not_after_ms == authority.now_ms + 3653 * kDay);
  CHECK(authority->invite("web-3", {}, Replace::refused)->fingerprint == second.fingerprint);
  const auto chain =
      tls::split_certificates(config::read_file(server_path(authority.folder)).value()).value();
  CHECK(tls::read_certificate(chain.back())->fingerprint == second.fingerprint);

  CHECK(authority->admit(before.certificate));
  const auto renewed = authority->renew(before.certificate, Asking().request);
  REQUIRE(renewed);
  CHECK(tls::read_certificate(renewed->authority)->fingerprint == second.fingerprint);
  authority.open();
  CHECK(authority->own().fingerprint == second.fingerprint);
  CHECK(authority->admit(renewed->certificate));
}

TEST_CASE("somebody who is always invited holds the authority's renewal up for ten months, no longer") {
  OwnAuthority authority;
  const tls::CertificateInfo first = authority->own();
  const std::int64_t life = first.not_after_ms - first.not_before_ms;
  for (const auto& [left, is_first] : {std::pair{life / 4 + kDay, true}, std::pair{life / 4 - kDay, false}}) {
    authority.now_ms = first.not_after_ms - left;
    authority.token("web-1");
    REQUIRE(authority->tend());
    CHECK((authority->own().fingerprint == first.fingerprint) == is_first);
  }
}

TEST_CASE("a renewal that was cut short shows its certificate after the next look") {
  OwnAuthority authority;
  authority.now_ms = authority->own().not_after_ms - 1000 * kDay;
  REQUIRE(renew_authority(authority.folder, authority.now_ms).value());  // and then the power fails
  authority.open();
  REQUIRE(authority->tend());
  const auto chain =
      tls::split_certificates(config::read_file(server_path(authority.folder)).value()).value();
  CHECK(tls::read_certificate(chain.back())->fingerprint == authority->own().fingerprint);
  CHECK_FALSE(renew_authority(authority.folder, authority.now_ms).value());
}

TEST_CASE("a copy of the authority's folder goes on where the folder was, and nobody else may look into it") {
  OwnAuthority authority;
  const Issued issued = authority.enrolled("web-1");
  const std::string open = authority.token("web-2");
  const std::string target = authority.dir.file("copy");
  const auto names = copy_authority(authority.folder, target);
  REQUIRE(names);
  CHECK(*names == std::vector<std::string>{"identity/ca.key", "identity/ca.pem", "identity/server.pem",
                                           "identity/identity.db"});
  using std::filesystem::perms;
  CHECK((std::filesystem::status(target).permissions() & perms::all) == perms::owner_all);
  for (const auto& entry : std::filesystem::directory_iterator(target))
    CHECK((entry.status().permissions() & perms::all) == (perms::owner_read | perms::owner_write));
  const auto copy = Authority::open({target, {}, [&] { return authority.now_ms; }});
  REQUIRE(copy);
  CHECK((*copy)->own().fingerprint == authority->own().fingerprint);
  CHECK((*copy)->certificates().size() == 1);
  CHECK((*copy)->may_speak(issued.certificate, "web-1"));
  // What became of an invitation after a backup its copy cannot know.
  CHECK(says((*copy)->enroll({open, Asking().request}).error(), "restored from a backup"));
  CHECK((*copy)->invites().value().empty());
  REQUIRE((*copy)->tend());
  CHECK(says((*copy)->enroll({open, Asking().request}).error(), "restored from a backup"));
  CHECK(authority->invites().value().size() == 1);
  CHECK(authority->enroll({open, Asking().request}));
  std::filesystem::remove(key_path(authority.folder));
  const auto refused = copy_authority(authority.folder, authority.dir.file("other"));
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "ca.key"));
}

TEST_CASE("an invitation for many lets hosts in under names of their own, as many as it is for") {
  OwnAuthority authority;
  const auto invited = authority->invite_many({"node-*", 2}, {}, "person ada");
  REQUIRE(invited);
  const auto come = [&](std::string_view name) {
    return authority->enroll({invited->token, Asking().request, name});
  };
  CHECK(come("node-1").value().issued.name == "node-1");
  CHECK(come("node-1").error().code == Errc::conflict);  // it has a certificate
  for (const std::string_view other : {"", "db-1", "node-\n", "NODE-1", "xnode-1"})
    CHECK(says(come(other).error(), "names are like node-*"));
  const auto open = authority->invites().value();
  REQUIRE(open.size() == 1);  // what was refused did not use it up
  CHECK(open[0].used == 1);
  CHECK(open[0].made_by == "person ada");
  const auto second = come("node-2");
  REQUIRE(second);
  CHECK(second->invitation == invited->id);
  CHECK(says(come("node-3").error(), "used already, by 2 hosts"));
  CHECK(authority->invites().value().empty());
}

TEST_CASE("one for any number ends with its time, or when it is revoked by its id") {
  OwnAuthority authority;
  const auto invited = authority->invite_many({"*", kAnyNumber}, kLongestInvitationOfMany);
  const auto other = authority->invite_many({"*", kAnyNumber}, kLongestInvitationOfMany);
  REQUIRE(invited);
  REQUIRE(other);
  for (int i = 0; i < 30; ++i)
    CHECK(authority->enroll({invited->token, Asking().request, fmt::format("node-{}", i)}));
  CHECK(authority->revoke_invitation("00000000").error().code == Errc::not_found);
  CHECK(authority->revoke_invitation(other->id).value().invites == 1);
  CHECK(authority->revoke_invitation(other->id).error().code == Errc::not_found);
  CHECK(says(authority->enroll({other->token, Asking().request, "late"}).error(), "was revoked"));
  authority.now_ms += 366 * kDay - 1;
  CHECK(authority->enroll({invited->token, Asking().request, "late"}));
  authority.now_ms += 1;
  CHECK(says(authority->enroll({invited->token, Asking().request, "later"}).error(), "expired at"));
}

TEST_CASE("a name that a revoked host had is given again by a new invitation, or when somebody readmits it") {
  OwnAuthority authority;
  const auto invited = authority->invite_many({"node-*", kAnyNumber}, kLongestInvitation);
  REQUIRE(invited);
  const auto come = [&](const std::string& token) {
    return authority->enroll({token, Asking().request, "node-1"});
  };
  const auto first = come(invited->token);
  REQUIRE(first);
  CHECK(authority->readmit("node-2").error().code == Errc::not_found);
  authority.now_ms += kMinute;
  REQUIRE(authority->revoke(Kind::host, "node-1"));
  for (int run = 0; run < 2; ++run) {
    CHECK(says(come(invited->token).error(), "vigil agent readmit node-1"));
    authority.open();
  }
  authority.now_ms += kMinute;
  CHECK(authority->readmit("node-1").value().serials.empty());
  const auto second = come(invited->token);
  REQUIRE(second);
  CHECK(authority->may_speak(second->issued.certificate, "node-1"));
  CHECK_FALSE(authority->may_speak(first->issued.certificate, "node-1"));

  // One that lost its key: what it had ends, and its stream with it.
  authority.revoked.clear();
  authority.now_ms += kMinute;
  CHECK(authority->readmit("node-1").value().serials == std::vector<std::string>{second->issued.serial});
  CHECK(authority.revoked == std::vector<std::string>{second->issued.serial});
  CHECK(come(invited->token));
  authority.now_ms += kMinute;
  REQUIRE(authority->revoke(Kind::host, "node-1"));  // later than it was readmitted
  CHECK_FALSE(come(invited->token));
  authority.now_ms += kMinute;
  const auto later = authority->invite_many({"node-*", 1}, {});
  REQUIRE(later);
  CHECK(come(later->token));
}

TEST_CASE("a pattern fits whole names") {
  struct Case {
    std::string_view pattern;
    std::string_view name;
    bool fits;
  };
  for (const Case& each : {Case{"node-*", "node-1", true},
                           {"node-*", "node-", true},
                           {"node-*", "node", false},
                           {"*", "x", true},
                           {"*.ec2.internal", "ip-1.ec2.internal", true},
                           {"*.ec2.internal", "ip-1.ec2.internal.evil", false},
                           {"a*b*c", "a-b-b-c", true},
                           {"a*b*c", "a-b-b", false},
                           {"a**", "a", true},
                           {"*a", "ba", true},
                           {"*a", "ab", false}}) {
    INFO(each.pattern << " " << each.name);
    CHECK(valid_name_pattern(each.pattern));
    CHECK(fits(each.name, each.pattern) == each.fits);
  }
  for (const std::string_view wrong : {"", "node-1", "no de*", "a/*", "*\n"})
    CHECK_FALSE(valid_name_pattern(wrong));
  OwnAuthority authority;
  CHECK(authority->invite_many({"node-1", 2}, {}).error().code == Errc::invalid_argument);
  for (const std::int32_t wrong : {0, -2})
    CHECK(authority->invite_many({"node-*", wrong}, {}).error().code == Errc::invalid_argument);
  CHECK(authority->invite_many({"node-*", 1}, kLongestInvitationOfMany + milliseconds(1)).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("a certificate that was looked at before is refused the moment that it counts no more") {
  OwnAuthority authority;
  const Issued issued = authority.enrolled("web-1");
  for (int i = 0; i < 3; ++i) CHECK(authority->admit(issued.certificate));
  std::string forged = issued.certificate;  // one character other than what is remembered
  const std::size_t at = forged.size() / 2;
  forged[at] = forged[at] == 'A' ? 'B' : 'A';
  CHECK_FALSE(authority->admit(forged));
  authority.now_ms = issued.not_after_ms;
  CHECK(says(authority->admit(issued.certificate).error(), "expired at"));
  authority.now_ms = kStart - kDay;
  CHECK(says(authority->admit(issued.certificate).error(), "good only from"));
  authority.now_ms = kStart + kMinute;
  CHECK(authority->admit(issued.certificate));
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  CHECK(says(authority->admit(issued.certificate).error(), "was revoked at"));
}

TEST_CASE("whose certificate counts no more is told what to run, with the name that it has") {
  OwnAuthority authority;
  const std::string host = authority.enrolled("web-1").certificate;
  const std::string person =
      authority->issue_person("eve", Asking().request, std::chrono::milliseconds(kMinute))
          .value()
          .certificate;
  constexpr const char* kInvite =
      "vigil agent invite --name web-1 --replace, and on the host the line it prints, with --force";
  authority.now_ms += kMinute;
  CHECK(says(authority->admit(person).error(), "vigil certificate issue --person eve --out FOLDER"));
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  CHECK(says(authority->admit(host).error(), kInvite));
  authority.now_ms += 90 * kDay;
  CHECK(says(authority->admit(host).error(), kInvite));
  CHECK(says(authority->may_speak("", "web-2").error(), "vigil agent invite --name web-2"));
}

TEST_CASE("nobody is called ca, whose certificate would be kept where the authority's is") {
  OwnAuthority authority;
  CHECK(authority->issue_person("ca", Asking().request, {}).error().code == Errc::invalid_argument);
  CHECK(authority->issue_person("ca1", Asking().request, {}));
}

TEST_CASE("names and times that are none are refused") {
  OwnAuthority authority;
  for (const std::string& name : std::vector<std::string>{"", "web 1", "a/b", "\xff", std::string(254, 'a')})
    CHECK(authority->invite(name, {}, Replace::refused).error().code == Errc::invalid_argument);
  for (const std::int64_t ttl : std::vector<std::int64_t>{-1, 999, 7 * kDay + 1})
    CHECK(authority->invite("web-1", milliseconds(ttl), Replace::refused).error().code ==
          Errc::invalid_argument);
  for (const std::string& name : std::vector<std::string>{"", "ada lovelace", "ada\n", std::string(65, 'a')})
    CHECK(authority->issue_person(name, Asking().request, {}).error().code == Errc::invalid_argument);
  CHECK(authority->issue_person("ada", Asking().request, milliseconds(-5)).error().code ==
        Errc::invalid_argument);
  CHECK(authority.enrolled(std::string(253, 'a')).name.size() == 253);
}

TEST_CASE("what is listed is in order, and an invitation goes when it is used or over") {
  OwnAuthority authority;
  authority.token("web-3");
  authority.token("web-1");
  authority.enrolled("web-2");
  REQUIRE(authority->issue_person("ada", Asking().request, {}));
  auto invites = authority->invites().value();
  REQUIRE(invites.size() == 2);
  CHECK(invites[0].name == "web-1");
  CHECK(invites[1].name == "web-3");
  const auto rows = authority->certificates();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].name == "web-2");
  CHECK(rows[1].kind == Kind::person);
  authority.now_ms += kDay;
  CHECK(authority->invites().value().empty());
}

TEST_CASE(
    "the aggregator's own certificate is renewed in time, for the same hosts, and what is old is forgotten") {
  OwnAuthority authority;
  const std::string path = server_path(authority.folder);
  const auto server = [&path] { return config::read_private_key(path).value(); };
  const std::string first = server();
  authority.enrolled("web-1");
  std::int64_t renewed = 0;
  for (int day = 1; day <= 700; ++day) {
    authority.now_ms = kStart + day * kDay;
    REQUIRE(authority->tend());
    const auto info = tls::read_certificate(server()).value();
    REQUIRE(info.not_after_ms - authority.now_ms > 100 * kDay);
    if (renewed == 0 && server() != first) renewed = day;
  }
  CHECK(renewed == 244);  // a third of a year is left
  CHECK(tls::server_hosts(server()).value() == std::vector<std::string>{"localhost", "127.0.0.1"});
  CHECK(authority->certificates().empty());
}

}  // namespace vigil::aggregator::identity
