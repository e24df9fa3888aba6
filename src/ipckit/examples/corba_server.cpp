// Serve the calculator of calculator.idl in C++, with what Debian's omniidl makes of it.
// Needs: /usr/bin/omniidl (Debian: omniidl)
// Needs: g++ (Debian: g++)
// Needs: /usr/include/omniORB4/CORBA.h (Debian: libomniorb4-dev)
//
// `ipckit recipe corba_server.cpp --copy .` brings calculator.idl beside it. The omniidl of a Python
// environment is of another version than the library. Text is UTF-8 where both ends say so.
//
// $ /usr/bin/omniidl -bcxx calculator.idl
// $ g++ -o corba_server corba_server.cpp calculatorSK.cc -lomniORB4 -lomnithread
// $ ./corba_server corba://127.0.0.1:0
// ready IOR:01...

#include <algorithm>
#include <csignal>
#include <iostream>
#include <numeric>
#include <string>
#include <unistd.h>
#include "calculator.hh"

namespace {

double fmean(const Calculator::ListOfDouble &numbers)
{
    if (numbers.length() == 0)
        throw Calculator::RemoteError("StatisticsError", "fmean requires at least one data point");
    const CORBA::Double *first = numbers.get_buffer();
    return std::accumulate(first, first + numbers.length(), 0.0) / numbers.length();
}

class Servant : public POA_Calculator {
public:
    CORBA::LongLong add(CORBA::LongLong x, CORBA::LongLong y) override
    {
        return x + y;
    }

    CORBA::Double divide(CORBA::Double x, CORBA::Double y) override
    {
        if (y == 0) throw Calculator::DivisionByZero(x);
        return x / y;
    }

    CORBA::Double mean(const Calculator::ListOfDouble &numbers) override
    {
        return fmean(numbers);
    }

    Calculator::Summary summarize(const Calculator::ListOfDouble &numbers) override
    {
        const CORBA::Double mean = fmean(numbers), *first = numbers.get_buffer();
        return {numbers.length(), mean, *std::max_element(first, first + numbers.length())};
    }

    char *rpc_discover() override
    {
        throw CORBA::NO_IMPLEMENT();  // clients of this server have the IDL
    }
};

}

int main(int argc, char **argv)
{
    const std::string address = argc == 2 ? argv[1] : "", scheme = "corba://";
    if (address.compare(0, scheme.size(), scheme) != 0) {
        std::cerr << "usage: corba_server corba://127.0.0.1:0\n";
        return 2;
    }
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, nullptr);  // before the ORB has threads, which inherit it
    try {
        const std::string place = "giop:tcp:" + address.substr(scheme.size());
        const char *options[][2] = {{"endPoint", place.c_str()},
                                    {"nativeCharCodeSet", "UTF-8"},
                                    {nullptr, nullptr}};
        int none = 0;
        CORBA::ORB_var orb = CORBA::ORB_init(none, nullptr, "omniORB4", options);
        CORBA::Object_var found = orb->resolve_initial_references("RootPOA");
        PortableServer::POA_var poa = PortableServer::POA::_narrow(found);
        PortableServer::Servant_var<Servant> servant = new Servant;
        PortableServer::ObjectId_var id = poa->activate_object(servant);
        Calculator_var calculator = servant->_this();
        PortableServer::POAManager_var manager = poa->the_POAManager();
        manager->activate();
        CORBA::String_var reference = orb->object_to_string(calculator);
        std::cout << "ready " << reference.in() << std::endl;
        int number;
        sigwait(&stops, &number);
        orb->destroy();
        return 0;
    } catch (const CORBA::SystemException &error) {
        std::cerr << address << ": " << error._name() << ": " << error.NP_minorString() << "\n";
        return 3;
    }
}
