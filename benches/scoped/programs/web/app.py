"""A small Flask application: a library's books, and who has borrowed them."""

from flask import Flask, abort, flash, jsonify, redirect, render_template, request, session, url_for

app = Flask(__name__)
app.secret_key = "for a benchmark"

TITLES = ["Emma", "Ulysses", "Dracula", "Middlemarch", "Beloved", "Persuasion", "Walden", "Kim"]
PAGE = 4


class Book:
    def __init__(self, number, title):
        self.number = number
        self.title = title
        self.borrower = None

    def label(self):
        return f"{self.title} ({self.number})"

    def as_json(self):
        return {"number": self.number, "title": self.title, "borrowed": self.borrower is not None}


BOOKS = {number: Book(number, title) for number, title in enumerate(TITLES * 3, 1)}


def find(number):
    book = BOOKS.get(number)
    if book is None:
        abort(404)
    return book


def on_loan(reader):
    return [book for book in BOOKS.values() if book.borrower == reader]


def page_of(books):
    start = PAGE * request.args.get("page", 0, int)
    return books[start : start + PAGE]


@app.context_processor
def reader():
    return {"reader": session.get("reader", "guest")}


@app.get("/")
def index():
    return render_template("index.html", books=page_of(list(BOOKS.values())))


@app.get("/books/<int:number>")
def book(number):
    return render_template("book.html", book=find(number))


@app.get("/api/books/<int:number>")
def book_as_json(number):
    return jsonify(find(number).as_json())


@app.post("/books/<int:number>/borrow")
def borrow(number):
    wanted = find(number)
    session["reader"] = request.form["reader"]
    if wanted.borrower is None:
        wanted.borrower = session["reader"]
        flash(f"{wanted.label()} is yours.")
    else:
        wanted.borrower = None
        flash(f"{wanted.label()} is back.")
    return redirect(url_for("mine"))


@app.get("/mine")
def mine():
    return render_template("index.html", books=page_of(on_loan(session.get("reader"))))
