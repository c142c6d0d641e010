"""The research desk: branches that answer a question from a corpus, with every sentence quoted and checked.

From corpus to report: blocks, markdown, source_code and topics read texts, passages cuts them, corpus holds them,
search finds them; foci and question read what is asked, planning splits it; segments, cues and relevance weigh
sentences, quotes picks them; findings is what travels between the branches, report is what comes out.
"""
