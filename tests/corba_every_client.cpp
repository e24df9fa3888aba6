// A client of corba_every.idl, made by Debian's omniidl: prints a line for each thing it tried.
//
//     corba_every_client REFERENCE [CODESET]     as IOR:..., corbaloc:...
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <mutex>
#include <string>

#include "corba_every.hh"

using namespace Every;

namespace {

template <class T> using limit = std::numeric_limits<T>;

const CORBA::WChar WORDS[] = {0x65e5, 0x672c, 0};  // as C++ knows them: 日本

void tell(const std::string &what, const std::string &result)
{
    std::cout << what << ": " << result << std::endl;
}

// Print what was tried, and what came of it.
void attempt(const char *what, const std::function<std::string()> &action)
{
    try {
        tell(what, action());
    } catch (const Overdrawn &error) {
        tell(what, "Overdrawn " + std::to_string(error.missing) + " " + error.why.in() + " " +
                       std::to_string(error.tint));
    } catch (const Empty &) {
        tell(what, "Empty");
    } catch (const CORBA::SystemException &error) {
        tell(what, error._name());
    }
}

std::string same(bool yes)
{
    return yes ? "the same" : "another";
}

std::string numbers(const Integers &n)
{
    return std::to_string(n.u8) + " " + std::to_string(n.i16) + " " + std::to_string(n.u16) + " " +
           std::to_string(n.i32) + " " + std::to_string(n.u32) + " " + std::to_string(n.i64) +
           " " + std::to_string(n.u64);
}

Nest nest()
{
    Nest made;
    made.table.length(3);
    made.table[0].length(2);
    made.table[0][0] = limit<CORBA::Long>::min();
    made.table[2].length(1);
    made.some.length(4);
    for (CORBA::ULong i = 0; i < 6; ++i) made.grid[i / 3][i % 3] = i + 0.5;
    for (CORBA::ULong i = 0; i < 16; ++i) made.sum[i] = 255 - i;
    made.form.corners(Points());
    made.form.corners().length(1);
    made.form.corners()[0] = {1, -2};
    made.root.label = "root";
    made.root.branches.length(2);
    made.root.branches[1].branches.length(1);
    made.root.branches[1].branches[0].label = "日本";
    made.thing <<= CORBA::LongLong(-7);
    return made;
}

bool operator==(const Tree &one, const Tree &other)
{
    bool equal = std::string(one.label) == other.label.in() &&
                 one.branches.length() == other.branches.length();
    for (CORBA::ULong i = 0; equal && i < one.branches.length(); ++i)
        equal = one.branches[i] == other.branches[i];
    return equal;
}

bool operator==(const Nest &one, const Nest &other)
{
    CORBA::LongLong left, right;
    bool equal = one.table.length() == other.table.length() && one.root == other.root &&
                 one.some.length() == other.some.length() && other.form._d() == GREEN &&
                 other.form.corners().length() == 1 && other.form.corners()[0].y == -2 &&
                 (one.thing >>= left) && (other.thing >>= right) && left == right;
    for (CORBA::ULong i = 0; equal && i < 3; ++i)
        equal = one.table[i].length() == other.table[i].length();
    for (CORBA::ULong i = 0; equal && i < 6; ++i)
        equal = one.grid[i / 3][i % 3] == other.grid[i / 3][i % 3];
    for (CORBA::ULong i = 0; equal && i < 16; ++i) equal = one.sum[i] == other.sum[i];
    return equal && one.table[0][0] == other.table[0][0];
}

class Ear : public POA_Every::Listener {
public:
    void heard(const char *what, const Nest &with) override
    {
        const std::lock_guard<std::mutex> hold(lock_);
        words_ += what + (with.form._d() == BLUE ? std::string(with.form.name()) : "?") + " ";
    }
    void noted(CORBA::Long) override {}
    std::string words()
    {
        const std::lock_guard<std::mutex> hold(lock_);
        return words_;
    }

private:
    std::mutex lock_;
    std::string words_;
};

void values(Peer_ptr peer)
{
    attempt("booleans", [&] {
        return same(peer->echo_boolean(true) && !peer->echo_boolean(false));
    });
    attempt("lowest", [&] { return numbers(peer->limits(false)); });
    attempt("highest", [&] { return numbers(peer->limits(true)); });
    attempt("echoed", [&] { return numbers(peer->echo_integers(peer->limits(true))); });
    attempt("nan", [&] { return same(std::isnan(peer->special(0))); });
    attempt("infinite", [&] { return same(std::isinf(peer->special(1))); });
    attempt("minus zero", [&] { return same(std::signbit(peer->special(3))); });
    attempt("denormal", [&] { return same(peer->special(4) == limit<double>::denorm_min()); });
    attempt("text", [&] {
        return std::string(CORBA::String_var(peer->echo_text("日本 😀 é <&>\x01")).in());
    });
    attempt("empty text", [&] { return same(!*CORBA::String_var(peer->echo_text("")).in()); });
    attempt("words", [&] {
        CORBA::WString_var back = peer->echo_words(WORDS);
        return same(back[0] == WORDS[0] && back[1] == WORDS[1] && back[2] == 0);
    });
    attempt("plain", [&] {
        Plain plain;
        plain.yes = true;
        plain.single = 1.5f;
        plain.real = limit<double>::infinity();
        plain.letter = 'x';
        plain.text = CORBA::string_dup("text");
        plain.words = CORBA::wstring_dup(WORDS);
        plain.brief = CORBA::string_dup("12345678");
        plain.brief_words = CORBA::wstring_dup(WORDS);
        plain.tint = BLUE;
        Plain_var back = peer->echo_plain(plain);
        return same(back->yes && back->single == 1.5f && std::isinf(back->real) &&
                    back->letter == 'x' && back->tint == BLUE &&
                    std::string(back->text) == "text" && back->words[1] == WORDS[1] &&
                    std::string(back->brief) == "12345678");
    });
    attempt("octets", [&] {
        Octets given(1 << 20);
        given.length(1 << 20);
        for (CORBA::ULong i = 0; i < given.length(); ++i) given[i] = i * 7;
        Octets_var back = peer->echo_octets(given);
        bool equal = back->length() == given.length();
        for (CORBA::ULong i = 0; equal && i < given.length(); ++i) equal = back[i] == given[i];
        return same(equal);
    });
    attempt("nest", [&] {
        const Nest given = nest();
        return same(given == Nest_var(peer->echo_nest(given)).in());
    });
    attempt("arms", [&] {
        Shape round, named;
        round.radius(2.5);
        named.name("日本");
        Numbered few, neither;
        few.few(7);
        few._d(2);
        neither._default();
        neither._d(9);
        Shape_var one = peer->echo_shape(round), two = peer->echo_shape(named);
        const Numbered three = peer->echo_numbered(few), four = peer->echo_numbered(neither);
        return std::to_string(one->radius()) + " " + two->name() + " " +
               std::to_string(three._d()) + "=" + std::to_string(three.few()) + " " +
               std::to_string(four._d());
    });
}

void anything(Peer_ptr peer)
{
    attempt("any seen", [&] {
        std::string all;
        CORBA::Any any;
        const auto add = [&] {
            all += std::string(CORBA::String_var(peer->seen(any)).in()) + "; ";
        };
        add();
        any <<= CORBA::Long(-5);
        add();
        any <<= "日本";
        add();
        any <<= Point{1, 2};
        add();
        any <<= GREEN;
        add();
        return all;
    });
    attempt("any made", [&] {
        CORBA::LongLong number;
        const char *text;
        CORBA::Any_var one = peer->made(1), two = peer->made(5);
        if (!(one >>= number)) return std::string("no long long");
        if (!(two >>= text)) return std::string("no string");
        return std::to_string(number) + " " + text;
    });
    attempt("any echoed", [&] {
        CORBA::Any bulk, real;
        Octets octets(2);
        octets.length(2);
        octets[1] = 255;
        bulk <<= octets;
        real <<= limit<CORBA::Double>::infinity();
        const Octets *same_octets;
        CORBA::Double same_real;
        CORBA::Any_var one = peer->echo_any(bulk), two = peer->echo_any(real);
        if (!(one >>= same_octets) || !(two >>= same_real)) return std::string("another type");
        return same((*same_octets)[1] == 255 && std::isinf(same_real));
    });
}

void calls(Peer_ptr peer)
{
    attempt("out", [&] {
        CORBA::Long rest;
        const CORBA::Long whole = peer->divided(17, 5, rest);
        return std::to_string(whole) + " " + std::to_string(rest);
    });
    attempt("inout", [&] {
        CORBA::String_var left = CORBA::string_dup("日本");
        Points right;
        right.length(1);
        right[0] = {1, 2};
        Color tint;
        peer->swapped(left.inout(), right, tint);
        return std::string(left) + " " + std::to_string(right[0].x) + " " + std::to_string(tint);
    });
    attempt("attributes", [&] {
        peer->level(limit<CORBA::Long>::min());
        return std::string(CORBA::String_var(peer->name()).in()) + " " +
               std::to_string(peer->level());
    });
    attempt("too long", [&] { return std::string(CORBA::String_var(peer->brief("123456789"))); });
    for (CORBA::Long how : {0, 1})
        attempt("declared", [&] {
            peer->raise_declared(how);
            return std::string("nothing");
        });
    attempt("undeclared", [&] {
        peer->raise_system(5);
        return std::string("nothing");
    });
    attempt("one way", [&] {
        const CORBA::Long before = peer->counted();
        for (int i = 0; i < 50; ++i) peer->count(2);
        while (peer->counted() < before + 100) continue;  // they are done in any order
        return std::to_string(peer->counted() - before);
    });
}

void references(Peer_ptr peer, PortableServer::POA_ptr poa)
{
    attempt("account", [&] {
        Account_var account = peer->open("日本", 100);
        CORBA::String_var name = account->name();
        account->withdraw(30);
        const CORBA::LongLong left = account->deposit(5);
        return std::string(name) + " " + std::to_string(left);
    });
    attempt("overdrawn", [&] {
        return std::to_string(Account_var(peer->open("Ann", 1))->withdraw(3));
    });
    attempt("nil", [&] {
        return same(CORBA::is_nil(Account_var(peer->open("", 0)))) + " " +
               CORBA::String_var(peer->owner_of(Named::_nil())).in();
    });
    attempt("given back", [&] {
        Accounts all(3);
        all.length(3);
        all[0] = peer->open("Ann", 1);
        all[1] = peer->open("Bob", 9);
        Account_var richest = peer->richest(all);
        return std::string(CORBA::String_var(richest->name()).in()) + " " +
               CORBA::String_var(peer->owner_of(richest)).in();
    });
    attempt("self", [&] {
        CORBA::Object_var object = peer->self();
        return same(object->_is_a("IDL:Every/Named:1.0"));
    });
    attempt("called back", [&] {
        Ear ear;
        PortableServer::ObjectId_var id = poa->activate_object(&ear);
        peer->call_back(Listener_var(ear._this()), 3);
        poa->deactivate_object(id);
        return ear.words();
    });
}

}

int main(int argc, char **argv)
{
    const char *options[][2] = {{"endPoint", "giop:tcp:127.0.0.1:0"},
                                {"giopMaxMsgSize", "33554432"},
                                {"nativeCharCodeSet", argc > 2 ? argv[2] : "ISO-8859-1"},
                                {"defaultCharCodeSet", argc > 2 ? argv[2] : "ISO-8859-1"},
                                {"defaultWCharCodeSet", "UTF-16"},
                                {nullptr, nullptr}};
    int none = 0;
    CORBA::ORB_var orb = CORBA::ORB_init(none, nullptr, "omniORB4", options);
    CORBA::Object_var root = orb->resolve_initial_references("RootPOA");
    PortableServer::POA_var poa = PortableServer::POA::_narrow(root);
    PortableServer::POAManager_var(poa->the_POAManager())->activate();
    CORBA::Object_var there = orb->string_to_object(argv[1]);
    Peer_var peer = Peer::_narrow(there);
    values(peer);
    anything(peer);
    calls(peer);
    references(peer, poa);
    orb->destroy();
}
