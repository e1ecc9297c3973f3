"""How the station is served: who is let in, on which sockets, and by which server.

`shared/server.py` chooses; here are the parts: `admission` (who is let in when many ask at once), `listening`
(sockets and what may be wrong with them), and one module a server: `gunicorn_server` (threads, zero-copy),
`eventlet_server` (green threads), `werkzeug_server` (threads, where gunicorn does not run).
"""
