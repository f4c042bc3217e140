package gate

// InShare is tested at its ends, which no user's draw would hit.
var InShare = inShare
