"""What the results say, in whole sentences: `study.Sentence` and `study.sentences` of a designed study,
`search.sentences` and `search.headlines` of a search.
"""
