// Call the calculator of calculator.idl in C++, on whatever server of it.
// Needs: /usr/bin/omniidl (Debian: omniidl)
// Needs: g++ (Debian: g++)
// Needs: /usr/include/omniORB4/CORBA.h (Debian: libomniorb4-dev)
//
// `ipckit recipe corba_client.cpp --copy .` brings calculator.idl beside it. Instead of an address
// of ours it takes what CORBA knows: IOR:, corbaloc:, corbaname:.
//
// $ /usr/bin/omniidl -bcxx calculator.idl
// $ g++ -o corba_client corba_client.cpp calculatorSK.cc -lomniORB4 -lomnithread
// $ ./corba_client corba://127.0.0.1:PORT/Calculator
// add(2, 3) = 5
// mean([1.5, 2.5, 3.5]) = 2.5
// summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
// divide(1, 0): 1.0 cannot be divided by zero

#include <cstdio>
#include <iostream>
#include <string>
#include "calculator.hh"

namespace {

// The address as CORBA writes it; GIOP 1.2 is the first whose text may be UTF-8.
std::string located(const std::string &address)
{
    const std::string scheme = "corba://";
    if (address.compare(0, scheme.size(), scheme) != 0) return address;
    return "corbaloc:iiop:1.2@" + address.substr(scheme.size());
}

int call(Calculator_ptr calculator)
{
    Calculator::ListOfDouble numbers;
    numbers.length(3);
    for (CORBA::ULong i = 0; i < 3; ++i) numbers[i] = 1.5 + i;
    std::printf("add(2, 3) = %lld\n", static_cast<long long>(calculator->add(2, 3)));
    std::printf("mean([1.5, 2.5, 3.5]) = %.1f\n", calculator->mean(numbers));
    const Calculator::Summary summary = calculator->summarize(numbers);
    std::printf("summarize([1.5, 2.5, 3.5]) = %lld numbers up to %.1f\n",
                static_cast<long long>(summary.count), summary.largest);
    try {
        calculator->divide(1, 0);
    } catch (const Calculator::DivisionByZero &error) {
        std::printf("divide(1, 0): %.1f cannot be divided by zero\n", error.dividend);
    }
    return 0;
}

}

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: corba_client corba://127.0.0.1:PORT/Calculator\n";
        return 2;
    }
    try {
        const char *options[][2] = {{"nativeCharCodeSet", "UTF-8"},
                                    {"defaultCharCodeSet", "UTF-8"},  // where there is no IOR
                                    {nullptr, nullptr}};
        int none = 0;
        CORBA::ORB_var orb = CORBA::ORB_init(none, nullptr, "omniORB4", options);
        CORBA::Object_var there = orb->string_to_object(located(argv[1]).c_str());
        Calculator_var calculator = Calculator::_narrow(there);  // asks the server
        const bool is_nil = CORBA::is_nil(calculator);
        if (is_nil) std::cerr << argv[1] << ": the object there is no Calculator\n";
        const int status = is_nil ? 2 : call(calculator);
        orb->destroy();
        return status;
    } catch (const Calculator::RemoteError &error) {
        std::cerr << argv[1] << ": " << error.kind.in() << ": " << error.message.in() << "\n";
        return 1;
    } catch (const CORBA::SystemException &error) {
        std::cerr << argv[1] << ": " << error._name() << ": " << error.NP_minorString() << "\n";
        return 3;
    }
}
