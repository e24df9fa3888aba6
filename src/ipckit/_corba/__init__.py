"""What the CORBA adapter is made of."""
