"""What tests of several rooms share: data, networks, exact values, files of every kind."""
