// A server of corba_every.idl, made by Debian's omniidl.
//
//     corba_every_server ENDPOINT [CODESET]     as giop:tcp:127.0.0.1:0 UTF-8; prints `ready IOR`
//
// Ends with its standard input.
#include <cmath>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>

#include "corba_every.hh"

using namespace Every;

namespace {

enum { OVERDRAWN, EMPTY };
enum { NOT_THERE, NOT_ALLOWED, BUSY, BROKEN, BAD_VALUE, A_PROGRAMMERS };

template <class T> using limit = std::numeric_limits<T>;

template <class Skeleton> class Thing : public virtual Skeleton {
public:
    explicit Thing(const char *name) : name_(CORBA::string_dup(name)) {}

    char *name() override { return CORBA::string_dup(name_); }
    CORBA::Long level() override { return level_; }
    void level(CORBA::Long value) override { level_ = value; }
    CORBA::Object_ptr self() override { return this->_this(); }

private:
    CORBA::String_var name_;
    CORBA::Long level_ = 0;
};

class AccountServant : public Thing<POA_Every::Account> {
public:
    AccountServant(const char *owner, CORBA::LongLong amount) : Thing(owner), amount_(amount) {}

    CORBA::LongLong deposit(CORBA::LongLong amount) override { return amount_ += amount; }

    CORBA::LongLong withdraw(CORBA::LongLong amount) override
    {
        if (amount_ == 0) throw Empty();
        if (amount > amount_) throw Overdrawn(amount - amount_, "не хватает", BLUE);
        return amount_ -= amount;
    }

private:
    CORBA::LongLong amount_;
};

class PeerServant : public Thing<POA_Every::Peer> {
public:
    PeerServant() : Thing("C++") {}

    CORBA::Boolean echo_boolean(CORBA::Boolean given) override { return given; }
    Integers echo_integers(const Integers &given) override { return given; }
    Plain *echo_plain(const Plain &given) override { return new Plain(given); }
    char *echo_text(const char *given) override { return CORBA::string_dup(given); }
    CORBA::WChar *echo_words(const CORBA::WChar *given) override
    {
        return CORBA::wstring_dup(given);
    }
    Octets *echo_octets(const Octets &given) override { return new Octets(given); }
    Nest *echo_nest(const Nest &given) override { return new Nest(given); }
    Shape *echo_shape(const Shape &given) override { return new Shape(given); }
    Numbered echo_numbered(const Numbered &given) override { return given; }
    CORBA::Any *echo_any(const CORBA::Any &given) override { return new CORBA::Any(given); }
    Matrix_slice *echo_matrix(const Matrix given) override { return Matrix_dup(given); }
    Digest_slice *echo_digest(const Digest given) override { return Digest_dup(given); }

    Integers limits(CORBA::Boolean highest) override
    {
        if (highest)
            return {255, limit<CORBA::Short>::max(), limit<CORBA::UShort>::max(),
                    limit<CORBA::Long>::max(), limit<CORBA::ULong>::max(),
                    limit<CORBA::LongLong>::max(), limit<CORBA::ULongLong>::max()};
        return {0, limit<CORBA::Short>::min(), 0, limit<CORBA::Long>::min(), 0,
                limit<CORBA::LongLong>::min(), 0};
    }

    CORBA::Double special(CORBA::Long which) override
    {
        const double all[] = {limit<double>::quiet_NaN(), limit<double>::infinity(),
                              -limit<double>::infinity(), -0.0, limit<double>::denorm_min(),
                              limit<double>::max()};
        return all[which];
    }

    CORBA::Any *made(CORBA::Long which) override
    {
        auto *any = new CORBA::Any;
        Octets octets(3);
        octets.length(3);
        for (CORBA::ULong i = 0; i < 3; ++i) octets[i] = 253 + i;
        switch (which) {
        case 0: break;
        case 1: *any <<= CORBA::Long(-5); break;
        case 2: *any <<= limit<CORBA::ULongLong>::max(); break;
        case 3: *any <<= CORBA::Double(0.1); break;
        case 4: *any <<= CORBA::Any::from_boolean(true); break;
        case 5: *any <<= "日本"; break;
        case 6: *any <<= Point{1, 2}; break;
        case 7: *any <<= GREEN; break;
        case 8: *any <<= octets; break;
        }
        return any;
    }

    char *seen(const CORBA::Any &given) override
    {
        CORBA::Boolean yes;
        CORBA::LongLong number;
        CORBA::Double real;
        const char *text;
        const Point *point;
        Color color;
        const Octets *octets;
        std::string told = "?";
        if (given >>= CORBA::Any::to_boolean(yes)) told = yes ? "boolean TRUE" : "boolean FALSE";
        else if (given >>= number) told = "long long " + std::to_string(number);
        else if (given >>= real) told = "double " + std::to_string(real);
        else if (given >>= text) told = std::string("string ") + text;
        else if (given >>= point)
            told = "Point " + std::to_string(point->x) + " " + std::to_string(point->y);
        else if (given >>= color) told = "Color " + std::to_string(color);
        else if (given >>= octets) told = "Octets " + std::to_string(octets->length());
        else told = "kind " + std::to_string(CORBA::TypeCode_var(given.type())->kind());
        return CORBA::string_dup(told.c_str());
    }

    char *brief(const char *given) override { return CORBA::string_dup(given); }

    CORBA::Long divided(CORBA::Long dividend, CORBA::Long divisor, CORBA::Long &rest) override
    {
        rest = dividend % divisor;
        return dividend / divisor;
    }

    void swapped(char *&left, Points &right, Color &tint) override
    {
        const std::string all = std::string("«") + left + "»";
        CORBA::string_free(left);
        left = CORBA::string_dup(all.c_str());
        for (CORBA::ULong i = 0; i < right.length(); ++i) std::swap(right[i].x, right[i].y);
        tint = right.length() ? GREEN : RED;
    }

    void raise_declared(CORBA::Long how) override
    {
        if (how == OVERDRAWN) throw Overdrawn(limit<CORBA::LongLong>::max(), "日本 😀", GREEN);
        throw Empty();
    }

    void raise_system(CORBA::Long how) override
    {
        switch (how) {
        case NOT_THERE: throw CORBA::OBJECT_NOT_EXIST();
        case NOT_ALLOWED: throw CORBA::NO_PERMISSION();
        case BUSY: throw CORBA::NO_RESOURCES();
        case BROKEN: throw CORBA::INTERNAL();
        case BAD_VALUE: throw CORBA::BAD_PARAM();
        case A_PROGRAMMERS: throw std::runtime_error("of no interest to CORBA");
        }
    }

    void count(CORBA::Long by) override { counted_ += by; }
    CORBA::Long counted() override { return counted_; }

    Account_ptr open(const char *owner, CORBA::LongLong amount) override
    {
        return *owner ? (new AccountServant(owner, amount))->_this() : Account::_nil();
    }

    Account_ptr richest(const Accounts &all) override
    {
        Account_var best;
        CORBA::LongLong most = -1;
        for (CORBA::ULong i = 0; i < all.length(); ++i) {
            if (CORBA::is_nil(all[i])) continue;
            const CORBA::LongLong has = all[i]->deposit(0);
            if (has > most) {
                most = has;
                best = Account::_duplicate(all[i]);
            }
        }
        return best._retn();
    }

    char *owner_of(Named_ptr who) override
    {
        return CORBA::is_nil(who) ? CORBA::string_dup("nobody") : who->name();
    }

    void call_back(Listener_ptr who, CORBA::Long times) override
    {
        Nest with;
        with.form.name("C++");
        for (CORBA::Long i = 0; i < times; ++i) {
            who->noted(i);
            who->heard(std::to_string(i).c_str(), with);
        }
    }

private:
    CORBA::Long counted_ = 0;
};

}

int main(int argc, char **argv)
{
    const char *options[][2] = {{"endPoint", argc > 1 ? argv[1] : "giop:tcp:127.0.0.1:0"},
                                {"giopMaxMsgSize", "33554432"},
                                {"nativeCharCodeSet", argc > 2 ? argv[2] : "ISO-8859-1"},
                                {"defaultCharCodeSet", argc > 2 ? argv[2] : "ISO-8859-1"},
                                {"defaultWCharCodeSet", "UTF-16"},
                                {nullptr, nullptr}};
    int none = 0;
    CORBA::ORB_var orb = CORBA::ORB_init(none, nullptr, "omniORB4", options);
    CORBA::Object_var root = orb->resolve_initial_references("RootPOA");
    CORBA::Object_var named = orb->resolve_initial_references("omniINSPOA");
    PortableServer::POA_var poa = PortableServer::POA::_narrow(named);
    for (const auto &adapter : {PortableServer::POA_var(PortableServer::POA::_narrow(root)), poa})
        PortableServer::POAManager_var(adapter->the_POAManager())->activate();
    PeerServant servant;
    PortableServer::ObjectId_var key = PortableServer::string_to_ObjectId("Peer");
    poa->activate_object_with_id(key, &servant);
    CORBA::Object_var reference = poa->id_to_reference(key);
    std::cout << "ready " << CORBA::String_var(orb->object_to_string(reference)).in() << std::endl;
    std::cin.ignore(limit<std::streamsize>::max());
    orb->destroy();
}
