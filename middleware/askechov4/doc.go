package askechov4
