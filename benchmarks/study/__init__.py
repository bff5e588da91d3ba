"""The study of docs/study.md: runs that resume, and the page that is made of them."""
