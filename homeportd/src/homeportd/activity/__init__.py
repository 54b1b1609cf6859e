"""What happened on the machine: servers, shares and jobs, for the person to read."""
