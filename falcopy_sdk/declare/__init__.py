"""What an author writes: decorators on a plain class, which become a :class:`PluginSpec`.

``tags`` and ``fields`` record, ``collect``, ``capabilities``, ``constructor`` and ``schema`` check,
``plugin`` puts it together. ``facts`` and ``config`` use the result; ``event``, ``secret`` and
``values`` are what authors handle at run time.
"""
