package askecho
