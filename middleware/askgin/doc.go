package askgin
